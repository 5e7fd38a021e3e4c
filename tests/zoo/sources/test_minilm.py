"""MiniLM gives what its published weights give in an independent implementation."""

import dataclasses

import keras
import numpy as np
import pytest
import safetensors.numpy
import scipy.special
import tensorflow as tf

import zoo
from zoo.catalog.text import MINILM_VARIANTS, BertVariant
from zoo.errors import CorruptWeightsError
from zoo.graph.blocks import find_blocks
from zoo.sources import minilm
from zoo.spec import OUTPUT, Boundary
from zoo.weights import files as weight_files

TINY = BertVariant(
    depth=2,
    width=8,
    heads=2,
    hidden_width=12,
    vocabulary=20,
    positions=6,
    sentences=2,
)
IDS = np.array([[2, 7, 8, 19, 3], [2, 5, 3, 0, 0], [2, 3, 0, 0, 0]], np.int32)
TEXTS = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
    "A woman carries a child in her arms.",
    "Stock markets fell sharply today.",
    "",
]


def _reference(tensors, ids, *, heads):
    """BERT's features `[tokens, width]` of one text, in NumPy and float64."""
    tensors = {name: tensor.astype("float64") for name, tensor in tensors.items()}
    count = len(ids)

    def normalize(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def linear(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    x = sum(
        tensors[f"embeddings.{name}_embeddings.weight"][numbers]
        for name, numbers in (
            ("word", ids),
            ("position", np.arange(count)),
            ("token_type", np.zeros(count, int)),
        )
    )
    x = normalize(x, "embeddings.LayerNorm")
    number = 0
    while f"encoder.layer.{number}.output.dense.bias" in tensors:
        name = f"encoder.layer.{number}"
        query, key, value = (
            linear(x, f"{name}.attention.self.{part}")
            .reshape(count, heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
        seen = scipy.special.softmax(scores, axis=-1) @ value
        seen = seen.transpose(1, 0, 2).reshape(count, -1)
        seen = linear(seen, f"{name}.attention.output.dense")
        x = normalize(x + seen, f"{name}.attention.output.LayerNorm")
        hidden = linear(x, f"{name}.intermediate.dense")
        hidden *= scipy.special.ndtr(hidden)
        y = linear(hidden, f"{name}.output.dense")
        x = normalize(x + y, f"{name}.output.LayerNorm")
        number += 1
    return x


def _compare(features, ids, tensors, *, heads, tolerance):
    assert features.shape[:2] == ids.shape
    for row, numbers in zip(features, ids):
        count = np.count_nonzero(numbers)
        expected = _reference(tensors, numbers[:count], heads=heads)
        np.testing.assert_allclose(row[:count], expected, rtol=0, atol=tolerance)
        assert not row[count:].any()


@pytest.fixture
def tiny(monkeypatch):
    """The row of a tiny BERT."""
    monkeypatch.setitem(MINILM_VARIANTS, "tiny", TINY)
    return dataclasses.replace(
        zoo.get_spec("minilm_l6"),
        handle="tiny",
        feature_width=TINY.width,
        blocks=(
            Boundary("embeddings", "embeddings_output"),
            Boundary("layer1", "layer1_output"),
            Boundary("layer2", OUTPUT),
        ),
    )


def _tensors():
    """Random tensors under the names of the published file."""
    rng = np.random.default_rng(0)
    width, hidden = TINY.width, TINY.hidden_width
    shapes = {
        "embeddings.word_embeddings.weight": (TINY.vocabulary, width),
        "embeddings.position_embeddings.weight": (TINY.positions, width),
        "embeddings.token_type_embeddings.weight": (TINY.sentences, width),
        "pooler.dense.weight": (width, width),
        "pooler.dense.bias": (width,),
    }
    norms, linears = ["embeddings.LayerNorm"], {}
    for number in range(TINY.depth):
        name = f"encoder.layer.{number}"
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linears[f"{name}.attention.{part}"] = (width, width)
        linears[f"{name}.intermediate.dense"] = (hidden, width)
        linears[f"{name}.output.dense"] = (width, hidden)
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    tensors = {n: rng.normal(size=s).astype("float32") for n, s in shapes.items()}
    positions = np.arange(TINY.positions)[None]
    return {**tensors, "embeddings.position_ids": positions}


def _save(path, tensors):
    safetensors.numpy.save_file(tensors, path)
    return path


def _model(spec, file):
    ids = keras.Input((IDS.shape[1],), dtype="int32")
    return keras.Model(ids, minilm.network(spec, ids, file))


class TestTiny:
    def test_features_equal_those_of_the_reference(self, tiny, tmp_path):
        tensors = _tensors()
        model = _model(tiny, _save(tmp_path / "tensors", tensors))
        found = model.predict(IDS, verbose=0)
        _compare(found, IDS, tensors, heads=TINY.heads, tolerance=1e-5)

    def test_every_tensor_but_the_named_ones_is_used(self, tiny, tmp_path):
        tensors = _tensors()
        model = _model(tiny, _save(tmp_path / "tensors", tensors))
        in_model = sorted(
            np.sort(w.numpy(), axis=None).tobytes() for w in model.weights
        )
        in_file = sorted(
            np.sort(tensor, axis=None).tobytes()
            for name, tensor in tensors.items()
            if not name.startswith("pooler.") and name != "embeddings.position_ids"
        )
        assert in_model == in_file
        assert len(in_file) > 30

    def test_one_tensor_crosses_from_block_to_block(self, tiny):
        model = _model(tiny, None)
        blocks = find_blocks(model, tiny.blocks)
        assert [len(block.frontier) for block in blocks] == [1, 1, 1]
        # Each is a feature sequence that says itself where its padding is.
        for block in blocks:
            features = keras.Model(model.input, block.output)(IDS).numpy()
            np.testing.assert_array_equal(features.any(-1), IDS != 0)

    def test_texts_do_not_see_their_neighbours(self, tiny, tmp_path):
        """A text gives the same whatever is beside it."""
        model = _model(tiny, _save(tmp_path / "tensors", _tensors()))
        whole = model(IDS).numpy()
        others = IDS.copy()
        others[0] = [2, 9, 9, 9, 3]
        found = model(others).numpy()
        np.testing.assert_allclose(found[1:], whole[1:], atol=1e-6)
        assert np.abs(found[0] - whole[0]).max() > 0.1

    def test_dropout_is_on_in_training_only(self, tiny):
        model = _model(tiny, None)
        assert np.array_equal(model(IDS), model(IDS))
        assert not np.array_equal(model(IDS, training=True), model(IDS))

    def test_low_rank_adapters_fit(self, tiny):
        """Attention is made of plain Keras layers."""
        model = _model(tiny, None)
        model.trainable = False
        attention = model.get_layer("layer1_attention")
        attention.trainable = True
        before = model(IDS).numpy()
        attention.query_dense.enable_lora(rank=2)
        np.testing.assert_allclose(model(IDS).numpy(), before, atol=1e-6)
        names = {weight.name for weight in attention.query_dense.trainable_weights}
        assert "lora_kernel_a" in names


class TestWrongFiles:
    """Nothing is half-loaded: no weight is touched before all tensors were seen."""

    @pytest.fixture
    def assigned(self, monkeypatch):
        touched = []
        assign = keras.Variable.assign

        def watched(variable, value):
            touched.append(variable.path)
            return assign(variable, value)

        monkeypatch.setattr(keras.Variable, "assign", watched)
        return touched

    def test_a_right_file_is_loaded(self, tiny, tmp_path, assigned):
        model = _model(tiny, _save(tmp_path / "right", _tensors()))
        assert len(assigned) == len(model.weights)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"encoder.layer.1.output.dense.bias": None},
                "no tensor 'encoder.layer.1.output.dense.bias'",
            ),
            (
                {"encoder.layer.0.intermediate.dense.weight": np.ones((16, 8))},
                r"shape \[16, 8\] for 'encoder.layer.0.intermediate.dense.weight',"
                r" expected \[12, 8\]",
            ),
            (
                {"encoder.layer.2.output.dense.bias": np.ones(8)},
                "1 tensors .* the first is 'encoder.layer.2.output.dense.bias'",
            ),
        ],
    )
    def test_another_architecture(self, tiny, tmp_path, assigned, change, message):
        tensors = {k: v for k, v in {**_tensors(), **change}.items() if v is not None}
        file = _save(tmp_path / "wrong", tensors)
        with pytest.raises(CorruptWeightsError, match=message) as caught:
            _model(tiny, file)
        assert "nothing of it was used" in str(caught.value)
        assert assigned == []

    def test_a_file_of_another_kind(self, tiny, tmp_path, assigned):
        file = tmp_path / "wrong"
        file.write_bytes(b"<html>not here</html>")
        with pytest.raises(CorruptWeightsError, match="not a file of tensors"):
            _model(tiny, file)
        assert assigned == []


@pytest.fixture(scope="module")
def published(text_store):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOOTUNE_HOME", str(text_store))
        yield zoo.build("minilm_l6", input_length=16)
    keras.utils.clear_session()


def _sentences(backbone, texts):
    features = backbone.model.predict(tf.constant(texts), verbose=0)
    embedded = features.sum(1) / features.any(-1).sum(1)[:, None]
    return embedded / np.linalg.norm(embedded, axis=1, keepdims=True)


@pytest.mark.weights
class TestPublished:
    def test_features_equal_those_of_the_reference(self, published, text_files):
        file = weight_files.locate(published.spec)
        tensors = safetensors.numpy.load_file(file)
        ids = published.model.get_layer("tokenizer")(tf.constant(TEXTS)).numpy()
        found = published.model.predict(tf.constant(TEXTS), verbose=0)
        assert found.shape == (len(TEXTS), 16, 384)
        _compare(found, ids, tensors, heads=12, tolerance=1e-5)

    def test_a_golden_similarity(self, published):
        embedded = _sentences(published, TEXTS)
        assert float(embedded[0] @ embedded[1]) == pytest.approx(0.7553, abs=1e-4)

    def test_related_sentences_are_nearer_than_others(self, published):
        embedded = _sentences(published, TEXTS[:5])
        near = embedded @ embedded.T
        related = {(0, 1), (2, 3)}
        others = [
            near[i, j]
            for i in range(5)
            for j in range(i + 1, 5)
            if (i, j) not in related
        ]
        assert min(near[i, j] for i, j in related) > max(others) + 0.2
        assert len(others) == 8

    def test_row_and_network_agree(self, published):
        assert published.model.count_params() == published.spec.parameters
        assert published.input_length == 16
        assert [block.name for block in published.blocks] == [
            "embeddings",
            *(f"layer{number}" for number in range(1, 7)),
        ]
        assert published.weights == "default"
