"""Detectors of places find what is normal elsewhere, but not there."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.probing.cells import fit_cells, with_cells
from pipelines.probing.detector import fit_detector

RNG = np.random.default_rng(0)
CELLS, CHANNELS = 6, 4
USUAL = RNG.normal(size=(CELLS, CHANNELS)) * 3


def drawn(count):
    noise = RNG.normal(size=(count, CELLS, CHANNELS)) * [0.1, 1, 1, 10]
    return (USUAL + noise).astype(np.float32)


NORMAL, NEW, STRANGE = drawn(150), drawn(80), drawn(80)
# The content of another place: normal in the whole, and not in this cell.
STRANGE[:, 2] = STRANGE[:, 4]


def flat(cells):
    return cells.reshape(len(cells), -1)


def averages(cells):
    return [cells.mean(axis=1)]


@pytest.mark.parametrize("method", ["padim", "sum"])
def test_what_is_normal_elsewhere_is_strange_here(method):
    detector = fit_detector(averages(NORMAL)).of_method(method)
    placed = with_cells(detector, averages(NORMAL), flat(NORMAL), CHANNELS)
    both = np.concatenate([NEW, STRANGE])
    scores = placed.scores_of_cells(averages(both), flat(both))
    assert roc_auc_score(np.arange(160) >= 80, scores) > 0.95
    distances = placed.cells.distances(flat(STRANGE))
    assert (distances.argmax(axis=1) == 2).mean() > 0.95


def test_distances_of_many_examples_are_those_of_mahalanobis():
    many = drawn(4000)
    distances = fit_cells(flat(many), channels=CHANNELS).distances(flat(NEW))
    expected = np.sqrt((((NEW - USUAL) / [0.1, 1, 1, 10]) ** 2).sum(axis=2))
    np.testing.assert_allclose(distances, expected, rtol=0.25)


def test_the_sum_weighs_scores_by_their_spread():
    detector = fit_detector(averages(NORMAL)).of_method("sum")
    placed = with_cells(detector, averages(NORMAL), flat(NORMAL), CHANNELS)
    whole = detector.of_method("dfm").scores(averages(NEW))
    strangest = placed.cells.distances(flat(NEW)).max(axis=1)
    assert placed.units == pytest.approx((whole.std(), strangest.std()), rel=0.5)
    expected = whole / placed.units[0] + strangest / placed.units[1]
    scores = placed.scores_of_cells(averages(NEW), flat(NEW))
    np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_normal_examples_give_finite_scores(count):
    few = NORMAL[:count]
    detector = fit_detector(averages(few)).of_method("sum")
    placed = with_cells(detector, averages(few), flat(few), CHANNELS)
    assert np.isfinite(placed.scores_of_cells(averages(NEW), flat(NEW))).all()


def test_examples_left_out_do_not_become_normal():
    far = np.concatenate([NORMAL, 1000 * drawn(2)])
    detector = fit_detector(averages(far)).of_method("padim")
    assert detector.left_out.tolist() == [150, 151]
    placed = with_cells(detector, averages(far), flat(far), CHANNELS)
    alone = fit_cells(flat(NORMAL), channels=CHANNELS)
    np.testing.assert_allclose(placed.cells.whitening, alone.whitening, rtol=1e-4)
