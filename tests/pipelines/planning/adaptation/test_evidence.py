"""How far a target is, in numbers and words."""

import dataclasses

import pytest

from pipelines.planning.adaptation.evidence import (
    Candidate,
    DomainEvidence,
    advice,
    in_words,
)

_ALIKE = DomainEvidence(1.2, (0.5, 0.5), (0.55, 0.45), 0.9, 0.7, 0.8)


def test_share_difference_is_half_the_sum():
    apart = dataclasses.replace(_ALIKE, target_shares=(1.0, 0.0))
    assert apart.share_difference == pytest.approx(0.5)
    assert _ALIKE.share_difference == pytest.approx(0.05)


def test_advice_follows_what_was_measured():
    near = dataclasses.replace(_ALIKE, distance=0.1)
    other = dataclasses.replace(_ALIKE, target_shares=(1.0, 0.0))
    assert "little to adapt" in advice(near)
    assert "label_shift could help" in advice(other)
    assert "mcc, dann and confusion could help" in advice(_ALIKE)


def test_words_have_the_numbers():
    words = in_words(_ALIKE)
    assert "1.20" in words
    assert "5% apart" in words
    assert "0.70 on the target" in words


def test_gain_is_clear_beyond_its_error():
    assert Candidate("mcc", 0.8, 0.05, 0.04).is_clear
    assert not Candidate("mcc", 0.8, 0.04, 0.04).is_clear
