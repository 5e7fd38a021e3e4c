"""Saved, exported and reloaded, a backbone gives the same."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

import zoo
from tests.zoo.contract.subjects import BUILT_OF_OTHERS, differ, run
from zoo.registry import TAKES_HANDLE

v1 = tf.compat.v1


def _smallest_of_each_source():
    smallest: dict[str, zoo.BackboneSpec] = {}
    for name in zoo.list_backbones():
        spec = zoo.get_spec(name)
        if spec.carries_weights:  # modules are below, by their handles
            continue
        if spec.parameters <= smallest.setdefault(spec.source, spec).parameters:
            smallest[spec.source] = spec
    return {spec.name for spec in smallest.values()}


# Their tokenizer is read from the preset again, which Keras calls unsafe.
READ_FILES_BESIDE = {("kerashub", "text")}
EXPORTED_BY_KERAS = {*_smallest_of_each_source(), *TAKES_HANDLE}
# The kinds of layers of rows that are saved here, for those that are not.
KINDS = {
    "efficientnet_b0": {
        *("DepthwiseConv2D", "Dropout", "GlobalAveragePooling2D", "Multiply"),
        *("Normalization", "Rescaling", "Reshape"),
    },
    "inception_v3": {"AveragePooling2D", "Concatenate"},
    "resnet50": {
        *("InputLayer", "PixelNormalization", "ZeroPadding2D", "Conv2D", "Add"),
        *("BatchNormalization", "Activation", "MaxPooling2D"),
    },
    "xception": {"SeparableConv2D"},
}
KINDS_OF_A_SMALL_NETWORK = {"Cropping2D", "CustomScaleLayer"}


@pytest.mark.family
def test_kinds_of_layers_are_those_of_rows_saved(subject):
    kinds = {type(layer).__name__ for layer in subject.model.layers}
    assert KINDS.get(subject.spec.name, set()) <= kinds
    if subject.spec.name in BUILT_OF_OTHERS:
        assert kinds <= set.union(*KINDS.values()) | KINDS_OF_A_SMALL_NETWORK


def test_kinds_of_no_row_saved_are_saved(tmp_path):
    """What Inception-ResNet and NASNet have beside the layers of others."""
    pixels = keras.Input((8, 8, 3), name="inputs")
    mapped = keras.layers.Conv2D(4, 3, padding="same")(pixels)
    cropped = keras.layers.Cropping2D(((1, 0), (0, 1)))(mapped)
    other = keras.layers.Conv2D(4, 2)(mapped)
    sums = CustomScaleLayer(0.25)([cropped, other])
    model = keras.Model(pixels, sums)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds >= KINDS_OF_A_SMALL_NETWORK
    inputs = tf.random.normal((2, 8, 8, 3), seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert differ(run(loaded, inputs), run(model, inputs)) < 1e-6
    _save_without_gradients(model, tmp_path / "1")
    assert differ(_served(tmp_path / "1", inputs), run(model, inputs)) < 1e-5


@pytest.mark.family
@pytest.mark.kinds
def test_a_keras_file_gives_the_same(subject, tmp_path):
    """Loaded safely, that is without code from the file, and without other files."""
    spec = subject.spec
    is_alone = (spec.source, spec.modality) not in READ_FILES_BESIDE
    path = tmp_path / "backbone.keras"
    subject.model.save(path)
    loaded = keras.models.load_model(path, safe_mode=is_alone)
    path.unlink()  # The largest has 1.4 GB, and pytest keeps the folders of three runs.
    for weight, other in zip(loaded.weights, subject.model.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())
    assert differ(run(loaded, subject.inputs), subject.features) < 1e-6


@pytest.mark.family
@pytest.mark.kinds
def test_an_export_gives_the_same(subject, tmp_path):
    """The graph is read as servers do, and needs no compiler there.

    The smallest of each source goes through `keras.Model.export`. That traces a network
    three times, and once more for its gradients: 37 s for the largest. The others are
    traced once, and saved by what it calls in the end.
    """
    folder = tmp_path / "1"
    if subject.spec.name in EXPORTED_BY_KERAS:
        subject.model.export(folder, verbose=False)
    else:
        _save_without_gradients(subject.model, folder)
    inputs = tf.cast(subject.inputs, subject.model.input.dtype)
    found = _served(folder, inputs)
    shutil.rmtree(folder)
    assert differ(found, subject.features) < 1e-5


def _save_without_gradients(model, folder):
    spec = tf.TensorSpec(model.input_shape, model.input.dtype, name="inputs")
    serve = tf.function(lambda inputs: model(inputs, training=False))
    module = tf.Module()
    module.tracked = [variable.value for variable in model.variables]
    tf.saved_model.save(
        module,
        folder,
        signatures=serve.get_concrete_function(spec),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )


def _served(folder, inputs):
    """What the default signature gives, in a graph without any of our Python."""
    # Rewriting the graph takes longer than running it once.
    options = v1.ConfigProto()
    options.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default(), v1.Session(config=options) as session:
        loaded = v1.saved_model.load(session, ["serve"], str(folder))
        assert not [
            function.signature.name
            for function in loaded.graph_def.library.function
            if function.attr["_XlaMustCompile"].b
        ]
        signature = loaded.signature_def["serving_default"]
        (given,), (wanted,) = signature.inputs.values(), signature.outputs.values()
        return session.run(wanted.name, {given.name: inputs.numpy()})


def test_every_source_is_exported_by_keras():
    sources = {zoo.get_spec(name).source for name in zoo.list_backbones()}
    exported = {zoo.get_spec(n).source for n in EXPORTED_BY_KERAS - {*TAKES_HANDLE}}
    assert exported | {*TAKES_HANDLE} == sources | {*TAKES_HANDLE}
    assert "mobilenet_v3_small" in EXPORTED_BY_KERAS
