"""Heads are compared on the same rows, and a class of many by some."""

import numpy as np
import pytest

from pipelines.errors import TrainingError
from pipelines.planning.head_inputs import HeadInput
from pipelines.problems.single_label import SingleLabel
from pipelines.stages.evidence import compare
from pipelines.stages.evidence.compare import (
    rows_to_compare,
    score_among,
    score_head_input,
)

CLASSES = 200
PROBLEM = SingleLabel(tuple(map(str, range(CLASSES))))
LABELS = np.arange(2000) % CLASSES


@pytest.fixture(scope="module")
def features():
    """A block that knows the class, and one that knows nothing."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(len(LABELS), 32)).astype(np.float32)
    known = rng.normal(size=(CLASSES, 32)).astype(np.float32)[LABELS] + 0.3 * noise
    return {("known", 1): known, ("noise", 1): noise}


def test_compared_rows_are_in_order_and_bounded():
    rows = rows_to_compare(PROBLEM, LABELS, count=400, seed=0)
    assert len(rows) == 400
    assert (np.diff(rows) > 0).all()


def test_informed_blocks_score_above_noise(features, monkeypatch):
    monkeypatch.setattr(compare, "_COMPARED", 400)
    known, noise = (
        score_among(features, LABELS, None, HeadInput((name,), 1), PROBLEM, seed=0)
        for name in ("known", "noise")
    )
    assert known.accuracy > 0.9 > 0.1 > noise.accuracy


def test_score_head_input_refuses_infinite_features(features):
    rows = np.arange(300)
    asked = (LABELS[rows], None, HeadInput(("known",), grid=1), PROBLEM)
    assert score_head_input(features, *asked, rows=rows).reads == ("known",)
    features = {("known", 1): features["known", 1].copy()}
    features["known", 1][3] = np.inf
    with pytest.raises(TrainingError, match="infinity for training example 3"):
        score_head_input(features, *asked, rows=rows)
