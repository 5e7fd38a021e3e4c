"""Normal patches cover all others, wherever they lie."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.probing.detector import fit_detector
from pipelines.probing.patches import PatchDetector, pooled, with_patches

RNG = np.random.default_rng(0)


def drawn(count, side=4, channels=6):
    """Two kinds of cells, at random places."""
    kinds = RNG.integers(0, 2, (count, side**2, 1))
    cells = np.where(kinds, 2.0, -2.0) + RNG.normal(0, 0.3, (count, side**2, channels))
    return cells.reshape(count, -1).astype(np.float32)


def detector_of(cells, channels=6):
    return with_patches(fit_detector([cells[:, :channels]]), cells, channels)


def test_a_strange_patch_shows_at_its_place():
    new, strange = drawn(40), drawn(40)
    strange.reshape(40, 4, 4, 6)[:, 2:, 2:, ::2] += 4
    detector = detector_of(drawn(60))
    scores = np.concatenate([detector.scores_of_cells(x) for x in (new, strange)])
    assert roc_auc_score(np.arange(80) >= 40, scores) > 0.95
    places = detector.bank.distances(strange).argmax(axis=1)
    assert np.mean(np.isin(places, (10, 11, 14, 15))) > 0.9


def test_known_patches_are_near_and_few():
    detector = detector_of(drawn(300))
    bank = detector.bank
    assert bank.patches.shape == (240, 6)
    assert bank.cells == 16
    assert len(np.unique(bank.patches, axis=0)) == 240
    few = detector_of(drawn(2))
    assert len(few.bank.patches) == 32
    assert few.bank.distances(drawn(3)).shape == (3, 16)


def test_cells_are_averaged_with_those_beside():
    cells = np.arange(9, dtype=np.float32)[None]
    averages = pooled(cells, channels=1).ravel()
    assert averages[4] == pytest.approx(4)
    assert averages[0] == pytest.approx((0 + 1 + 3 + 4) / 4)
    assert averages[5] == pytest.approx((1 + 2 + 4 + 5 + 7 + 8) / 6)


def test_images_without_differences_are_finite():
    same = np.zeros((5, 96), np.float32)
    assert np.isfinite(detector_of(same).scores_of_cells(drawn(2))).all()


def test_a_detector_without_patches_says_so():
    with pytest.raises(ValueError, match="chosen first"):
        PatchDetector(**vars(fit_detector([drawn(9)]))).scores_of_cells(drawn(1))
