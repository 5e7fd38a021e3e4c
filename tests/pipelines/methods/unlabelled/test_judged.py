"""The rule by which examples without labels are used, and its words."""

import pytest

from pipelines.methods.unlabelled.judged import Judged, in_words


def _judged(gain, *, examples=30, error=0.05):
    return Judged(0.6, 0.6 + gain, gain, error, examples, classes=3)


@pytest.mark.parametrize(
    ("gain", "examples", "helps"),
    [
        (0.02, 30, True),
        (0.0, 30, False),
        (-0.02, 30, False),
        (0.02, 31, False),
        (0.06, 31, True),
        (0.0, 0, False),
    ],
)
def test_few_examples_need_any_gain(gain, examples, helps):
    assert _judged(gain, examples=examples).helps is helps


def test_words_say_what_was_decided():
    assert "The head learns from both." in in_words(_judged(0.02))
    assert "That is no gain, so that" in in_words(_judged(0.0))
    assert "not above its standard error" in in_words(_judged(0.02, examples=60))
    assert "none could judge" in in_words(_judged(0.0, examples=0))
