"""A model file of SentencePiece is read as its own library reads it."""

import io

import numpy as np
import pytest
import sentencepiece

from zoo.errors import BackboneError
from zoo.tokenization.sentencepiece_file import parse

TEXTS = ["some words of a small text", "ﬁne words, some more", "a b c d e f g h"] * 9


@pytest.fixture(scope="module")
def content():
    """The bytes of a small model."""
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=stream,
        vocab_size=200,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return stream.getvalue()


def test_parse_reads_pieces_and_scores(content):
    model = parse(content)
    library = sentencepiece.SentencePieceProcessor(model_proto=content)
    count = library.get_piece_size()
    assert list(model.pieces) == [library.id_to_piece(i) for i in range(count)]
    scores = [library.get_score(i) for i in range(count)]
    np.testing.assert_allclose(model.scores, scores, rtol=1e-6)
    assert model.unknown == library.unk_id()
    assert not model.matched[[library.bos_id(), library.eos_id()]].any()
    assert model.replacements["ﬁ"] == "fi"


def test_number_of_names_the_missing_mark(content):
    model = parse(content)
    assert model.pieces[model.number_of("</s>")] == "</s>"
    with pytest.raises(BackboneError, match="has no piece '<mask>'"):
        model.number_of("<mask>")


@pytest.mark.parametrize("kept", [0, 1, 1000, -1])
def test_cut_file_is_refused(content, kept):
    with pytest.raises(BackboneError, match="SentencePiece model"):
        parse(content[:kept])
