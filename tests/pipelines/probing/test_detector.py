"""Detectors of anomalies find what normal examples are not."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.errors import TrainingError
from pipelines.probing.detector import METHODS, fit_detector

RNG = np.random.default_rng(0)
# Normal examples vary along 3 of 40 directions, and a little along all others.
AXES = RNG.normal(size=(3, 40))


def drawn(count, *, off=0.0):
    rows = RNG.normal(size=(count, 3)) @ AXES + 0.1 * RNG.normal(size=(count, 40))
    return (rows + off * RNG.normal(size=40) + 5).astype(np.float32)


NORMAL, NEW, STRANGE = drawn(200), drawn(100), drawn(100, off=1.5)


@pytest.mark.parametrize("method", METHODS)
def test_strange_examples_score_higher_than_new_ones(method):
    detector = dataclasses.replace(fit_detector([NORMAL]), method=method)
    scores = detector.scores([np.concatenate([NEW, STRANGE])])
    assert roc_auc_score(np.arange(200) >= 100, scores) > 0.99
    assert len(detector.left_out) == 0


def test_blocks_of_any_size_count_the_same():
    small, large = NORMAL[:, :20] / 1000, NORMAL[:, 20:] * 1000
    detector = fit_detector([small, large])
    new, strange = (
        detector.scores([rows[:, :20] / 1000, rows[:, 20:] * 1000])
        for rows in (NEW, STRANGE)
    )
    assert np.median(strange) > 2 * np.median(new)


def test_few_anomalies_in_training_are_left_out():
    far = (5 + 8 * RNG.normal(size=(10, 40))).astype(np.float32)
    detector = fit_detector([np.concatenate([NORMAL, far])])
    assert detector.left_out.tolist() == list(range(200, 210))
    alone = fit_detector([NORMAL])
    np.testing.assert_allclose(detector.scores([NEW]), alone.scores([NEW]), rtol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_examples_give_finite_scores(count):
    for method in METHODS:
        detector = dataclasses.replace(fit_detector([NORMAL[:count]]), method=method)
        assert np.isfinite(detector.scores([NEW])).all()


def test_features_without_a_number_are_refused():
    with pytest.raises(TrainingError, match="NaN or infinity"):
        fit_detector([np.full((5, 3), np.nan, np.float32)])
