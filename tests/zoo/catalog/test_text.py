"""Rows of text encoders agree with the sizes of their networks."""

from zoo.catalog.text import MINILM_VARIANTS, SPECS, USE_VARIANTS


def test_rows_agree_with_their_variants():
    variants = {**MINILM_VARIANTS, **USE_VARIANTS}
    assert len(SPECS) >= 2
    for spec in SPECS:
        assert spec.feature_width == variants[spec.handle].width


def test_every_file_is_pinned():
    for spec in SPECS:
        assert spec.weights.sha256
        assert spec.input.tokenizer.vocabulary.sha256
