"""SentencePiece in TensorFlow ops gives what its own library gives.

Where two ways to split a word have the same sum of scores ("aaaaa" as a+aa+aa or as
aa+a+aa), the library's rounding decides, and ours need not agree.
"""

import io
import sys
import textwrap

import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

import zoo
from tests.support import warm_python
from zoo import tokenization
from zoo.errors import BackboneError
from zoo.tokenization.sentencepiece import SentencePiece
from zoo.tokenization.sentencepiece_file import parse
from zoo.weights import files as weight_files

LENGTH = 48
TEXTS = [
    "Hello, World! This is a test of the tokenizer.",
    "",
    "  ",
    " \u3000 odd\u2003 spaces\u200b \t\n end \u00a0",
    "Der schnelle braune Fuchs springt über den faulen Hund; Straße, Käse, Äpfel.",
    "السلام عليكم ورحمة الله وبركاته ﷺ، كيف حالك اليوم؟",
    "今天天气很好，我们去公园散步吧。我是一个学生。",
    "繁體中文也可以。",
    "私は毎日日本語を勉強しています。ｶﾞｷﾞ ﾊﾟﾊﾟ カタカナ",
    "안녕하세요, 오늘 날씨가 좋네요. \u1112\u1161\u11ab\u1100\u1173\u11af",
    "Быстрая коричневая лиса прыгает через ленивую собаку.",
    "Türkiye'nin başkenti Ankara'dır. İstanbul ığüşçö",
    "สวัสดีครับ วันนี้อากาศดี",
    "😀👩‍👩‍👧 🤷🏽‍♀️ 🇩🇪 flags",
    "e\u0301 \u0308\u0301 a\u0308\u0301 o\u0302\u0301 \u0301",
    "½ ﬁ Ⅳ ㎏ ² ª ￣ ﹉",
    "☃☃☃ 𓀀𓀁 a𓀀 ☃ ☃",
    "<s> </s> <unk> extra_token_id_1 xextra_token_id_2",
    "abc▁ ▁",
    "▁▁",
    "a▁▁b ▁c",
    "\x00a\x01b \x7f \ufffd",
    "12345678901234567890 3.14 1,000 $5",
    "https://example.com/a?b=c#d e@f.g",
    "word " * 100,
]


def _ids(layer, texts):
    return layer(tf.constant(texts)).numpy()


def _expected(processor, texts, length=LENGTH):
    rows = np.zeros((len(texts), length), np.int32)
    for row, text in zip(rows, texts):
        ids = [1, *processor.encode(text)[: length - 2], 2]
        row[: len(ids)] = np.array(ids) + 1
    return rows


def _train(**options):
    """The bytes of a small model of the texts above."""
    written = io.BytesIO()
    settings = {
        "vocab_size": 300,
        "normalization_rule_name": "nmt_nfkc",
        "hard_vocab_limit": False,
        "minloglevel": 2,
        **options,
    }
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=written, **settings
    )
    return written.getvalue()


@pytest.fixture(scope="module")
def small():
    return _train()


def _compare(model, texts):
    """Texts of which both give the same ids."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    found = _ids(SentencePiece(model, length=LENGTH), texts)
    expected = _expected(processor, texts)
    for text, row, wanted in zip(texts, found, expected):
        np.testing.assert_array_equal(row, wanted, err_msg=repr(text))
    return len(texts)


class TestSmallModel:
    def test_on_hard_texts(self, small):
        assert _compare(small, TEXTS) > 20

    def test_on_texts_that_it_has_never_seen(self, small):
        """Words backwards: most of them in pieces, many unknown."""
        assert _compare(small, [text[::-1] for text in TEXTS]) > 20

    @pytest.mark.parametrize("rule", ["identity", "nfkc_cf"])
    def test_other_normal_forms(self, rule):
        assert _compare(_train(normalization_rule_name=rule), TEXTS) > 20

    def test_every_replacement_of_one_character(self, small):
        replaced = [c for c in parse(small).replacements if len(c) == 1]
        assert len(replaced) > 4000
        lines = [" ".join(replaced[i : i + 20]) for i in range(0, len(replaced), 20)]
        processor = sentencepiece.SentencePieceProcessor(model_proto=small)
        found = _ids(SentencePiece(small, length=200), lines)
        np.testing.assert_array_equal(found, _expected(processor, lines, 200))

    def test_replacements_of_several_characters(self, small):
        replaced = [c for c in parse(small).replacements if len(c) > 1]
        assert len(replaced) > 100_000
        some = np.random.default_rng(0).choice(replaced, 4000)
        lines = ["".join(some[i : i + 10]) for i in range(0, len(some), 10)]
        processor = sentencepiece.SentencePieceProcessor(model_proto=small)
        found = _ids(SentencePiece(small, length=64), lines)
        np.testing.assert_array_equal(found, _expected(processor, lines, 64))

    def test_a_text_that_is_cut_still_ends(self, small):
        found = _ids(SentencePiece(small, length=4), ["Hello, World!", ""])
        assert found[0, 0] == found[1, 0] == 2
        assert found[0, 3] == found[1, 1] == 3
        assert found[1, 2:].tolist() == [0, 0]

    def test_length_without_room_for_marks_is_refused(self, small):
        assert _ids(SentencePiece(small, length=2), ["a"]).tolist() == [[2, 3]]
        with pytest.raises(BackboneError, match="1 tokens has no room for <s>"):
            SentencePiece(small, length=1)

    def test_bad_utf8_does_not_fail_its_neighbours(self, small):
        layer = SentencePiece(small, length=LENGTH)
        found = _ids(layer, [b"\xff\xfetest \xc3", b"test", b"\xe6\x97"])
        np.testing.assert_array_equal(found[1], _ids(layer, ["test"])[0])
        np.testing.assert_array_equal(
            found[0], _ids(layer, ["\ufffd\ufffdtest \ufffd"])[0]
        )

    def test_an_empty_batch(self, small):
        layer = SentencePiece(small, length=LENGTH)
        assert _ids(layer, tf.constant([], tf.string)).shape == (0, LENGTH)

    def test_long_text_costs_only_its_beginning(self, small):
        layer = SentencePiece(small, length=LENGTH)
        long = "Hello 今天天气很好 " * 40
        found = _ids(layer, [long, long + "天" * 1_000_000])
        np.testing.assert_array_equal(found[0], found[1])

    def test_a_saved_model_needs_no_file(self, small, tmp_path):
        text = keras.Input((), dtype="string", name="text")
        layer = SentencePiece(small, length=LENGTH)
        assert SentencePiece.from_config(layer.get_config()).get_config() == (
            layer.get_config()
        )
        model = keras.Model(text, layer(text))
        expected = _ids(model, TEXTS)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(_ids(again, TEXTS), expected)
        model.export(tmp_path / "exported", verbose=False)
        program = f"""
            import tensorflow as tf
            serve = tf.saved_model.load({str(tmp_path / "exported")!r}).signatures
            texts = tf.constant({[text.encode() for text in TEXTS]!r})
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


class TestWrongModels:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"model_type": "bpe"}, "not one of plain unigrams"),
            ({"byte_fallback": True, "vocab_size": 600}, "not one of plain unigrams"),
            ({"add_dummy_prefix": False}, "not one of plain unigrams"),
            ({"split_by_whitespace": False}, "pieces over several words"),
            ({"bos_id": -1}, "has no piece '<s>'"),
        ],
    )
    def test_of_another_kind(self, options, message):
        with pytest.raises(BackboneError, match=message):
            SentencePiece(_train(**options), length=LENGTH)


@pytest.mark.weights
class TestPublishedModel:
    @pytest.fixture
    def path(self, text_files):
        return weight_files.vocabulary(zoo.get_spec("use_multilingual"))

    def test_on_hard_texts(self, path):
        assert _compare(path.read_bytes(), TEXTS) > 20

    def test_on_random_texts(self, path):
        """Of words and characters; only ties may differ, and they are rare."""
        rng = np.random.default_rng(0)
        parts = [w for text in TEXTS for w in (*text.split(), *text, " ")]
        texts = ["".join(rng.choice(parts, rng.integers(1, 40))) for _ in range(1000)]
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        spec = zoo.get_spec("use_multilingual")
        found = _ids(tokenization.layer(spec.input.tokenizer, LENGTH, path), texts)
        scores = parse(path.read_bytes()).scores
        differ = whole = 0
        for row, wanted in zip(found, _expected(processor, texts)):
            if row[-1] or wanted[-1]:
                continue  # Cut: the sums of what is left may differ.
            whole += 1
            if not np.array_equal(row, wanted):
                differ += 1
                total, best = (scores[r[r > 0] - 1].sum() for r in (row, wanted))
                assert total == pytest.approx(best, abs=1e-4)
        assert whole > 300
        assert differ <= 3, differ
