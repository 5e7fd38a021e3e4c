"""A module that takes strings is a layer like any other, with its vocabulary inside."""

import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from pipelines.runtime.precision import precision
from tests.support import tiny_modules, warm_python
from tests.support.tiny_modules import VOCABULARY, WIDTH
from zoo.errors import BackboneError
from zoo.saved_model.layer import SavedModelLayer
from zoo.spec import TextInput

TEXTS = tf.constant(["good film", "bad book", "the unheard of", "", "b\xc3\xb6se"])
LABELS = tf.constant([1, 0, 0, 1, 1])
FRESH = """
import sys
import numpy as np, tensorflow as tf
folder = sys.argv[1]
texts = tf.constant(open(folder + "/texts", "rb").read().split(b"\\n"))
loaded = tf.saved_model.load(folder + "/export")
np.save(folder + "/found.npy", loaded.serve(texts))
"""


@pytest.fixture
def folder(tmp_path):
    return tiny_modules.save_text(tmp_path / "module")


def _classifier(layer) -> keras.Model:
    texts = keras.Input((), dtype="string", name="text")
    logits = keras.layers.Dense(2, dtype="float32")(layer(texts))
    return keras.Model(texts, logits)


def _fit(model):
    model.compile(
        keras.optimizers.Adam(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    data = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(2)
    model.fit(data, epochs=2, shuffle=False, verbose=0)


def test_it_gives_what_the_module_gives(folder):
    layer = SavedModelLayer(folder)
    wanted = tf.saved_model.load(str(folder))(TEXTS)
    np.testing.assert_array_equal(layer(TEXTS), wanted)
    np.testing.assert_array_equal(_classifier(layer).layers[1](TEXTS), wanted)
    known = layer.weights[0].numpy()
    good, film = (known[VOCABULARY.index(word)] for word in ("good", "film"))
    np.testing.assert_allclose(wanted[0], (good + film) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_array_equal(wanted[3], np.zeros(WIDTH))


@pytest.mark.parametrize("trainable", [True, False])
def test_its_words_are_trained_or_frozen(folder, trainable):
    layer = SavedModelLayer(folder, trainable=trainable)
    before = layer.weights[0].numpy().copy()
    _fit(_classifier(layer))
    moved = np.abs(layer.weights[0].numpy() - before).max(axis=1)
    # "was" is in no text; the last row is that of the words outside.
    used = [word != "was" for word in VOCABULARY] + [True]
    assert list(moved > 0) == (used if trainable else [False] * len(used))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_strings_stay_strings_in_mixed_precision(folder, policy):
    with precision(policy):
        layer = SavedModelLayer(folder)
        model = _classifier(layer)
    _fit(model)
    assert layer(TEXTS).dtype == policy.removeprefix("mixed_")
    assert model(TEXTS).dtype == "float32"


def test_files_hold_what_was_trained(folder, tmp_path):
    model = _classifier(SavedModelLayer(folder))
    _fit(model)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(TEXTS), model(TEXTS))
    other = _classifier(SavedModelLayer(folder))
    assert np.abs(other(TEXTS) - model(TEXTS)).max() > 0
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(TEXTS), model(TEXTS))


@pytest.mark.slow
def test_its_vocabulary_goes_with_an_export(folder, tmp_path):
    model = _classifier(SavedModelLayer(folder))
    _fit(model)
    wanted = model.predict(TEXTS, verbose=0)
    model.export(tmp_path / "export", verbose=False)
    shutil.rmtree(folder)
    (tmp_path / "texts").write_bytes(b"\n".join(TEXTS.numpy()))
    warm_python.run([sys.executable, "-c", FRESH, str(tmp_path)], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), wanted, atol=1e-6)
    assert np.ptp(wanted) > 0


def test_it_is_a_backbone_whose_spec_is_measured(folder):
    backbone = zoo.build("tfhub", handle=folder)
    spec = backbone.spec
    assert (spec.modality, spec.input) == ("text", TextInput())
    assert (spec.feature_width, spec.handle) == (WIDTH, str(folder))
    assert spec.parameters == (len(VOCABULARY) + 1) * WIDTH
    assert spec.trainable
    assert (backbone.input_size_px, backbone.input_length) == (None, None)
    assert (backbone.model.input.name, backbone.model.input.dtype) == ("text", "string")
    assert backbone.model.output_shape == (None, WIDTH)
    (block,) = backbone.blocks
    assert set(block.layers) == set(backbone.model.layers)
    wanted = tf.saved_model.load(str(folder))(TEXTS)
    np.testing.assert_array_equal(backbone.model(TEXTS), wanted)


@pytest.mark.parametrize("size", [{"input_size_px": 32}, {"input_length": 4}])
def test_it_has_no_size(folder, size):
    with pytest.raises(BackboneError, match=f"{next(iter(size))} is .* Leave .* out"):
        zoo.build("tfhub", handle=folder, **size)


@pytest.mark.parametrize(
    ("shape", "gives", "message"),
    [
        ([None, 4], lambda x: tf.zeros([2, 6]), "neither images .* nor texts"),
        (None, lambda x: tf.zeros([tf.size(x), 6]), None),
        (
            [None],
            lambda x: tf.zeros([2, 5, 6]),
            r"one feature vector \[batch, width\]\.",
        ),
        ([None], lambda x: x, r"one feature vector"),
        ([None], lambda x: tf.zeros([2, 3, 5, 6]), r"one feature vector"),
    ],
)
def test_other_modules_of_strings_are_refused(tmp_path, shape, gives, message):
    published = tf.train.Checkpoint()
    spec = tf.TensorSpec(shape, tf.string)
    published.__call__ = tf.function(gives, input_signature=[spec])
    tf.saved_model.save(published, tmp_path / "module")
    if message is None:
        backbone = zoo.build("tfhub", handle=tmp_path / "module")
        assert backbone.model.output_shape == (None, 6)
    else:
        with pytest.raises(BackboneError, match=message):
            zoo.build("tfhub", handle=tmp_path / "module")


def test_numbers_are_no_texts_and_texts_no_images(folder, tmp_path):
    with pytest.raises(BackboneError, match=r"module takes string, not float32"):
        SavedModelLayer(folder)(np.zeros(2, np.float32))
    images = tiny_modules.save_bare(tmp_path / "images")
    with pytest.raises(BackboneError, match=r"images takes float32, not string"):
        SavedModelLayer(images)(TEXTS)
