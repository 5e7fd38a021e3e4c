"""Limits keep the share of new examples that they promise."""

import numpy as np
import pytest

from pipelines.calibration.feature_space import fit_feature_space
from pipelines.calibration.thresholds import (
    StrangenessThreshold,
    confidence_threshold,
    energies,
    keep_rank,
    prediction_sets,
    set_threshold,
    strangeness_thresholds,
)


@pytest.mark.parametrize(
    ("examples", "share", "rank"),
    [(99, 0.99, 99), (98, 0.99, 99), (19, 0.95, 19), (18, 0.95, 19), (9, 0.5, 5)],
)
def test_the_rank_has_the_correction_for_few_examples(examples, share, rank):
    assert keep_rank(examples, share) == rank


def test_a_set_threshold_by_hand():
    # 19 probabilities of the true class: at 0.9 the 18th largest of them.
    of_truth = np.arange(1, 20) / 20
    probabilities = np.stack([of_truth, 1 - of_truth], axis=1)
    labels = np.zeros(19, int)
    found = set_threshold(probabilities, labels, level=0.9)
    assert found == pytest.approx(2 / 20, rel=1e-3)
    assert set_threshold(probabilities, labels, level=0.95) == pytest.approx(
        1 / 20, rel=1e-3
    )
    # 99 would be needed: every class is in the set.
    assert set_threshold(probabilities, labels, level=0.99) == 0


def test_prediction_sets_always_hold_the_likeliest():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.4, 0.35, 0.25]])
    assert prediction_sets(probabilities, 0.3).tolist() == [
        [True, True, False],
        [True, True, False],
    ]
    assert prediction_sets(probabilities, 0.45).tolist() == [
        [True, False, False],
        [True, False, False],
    ]
    assert prediction_sets(probabilities, 0.0).all()


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_prediction_sets_cover_their_level(level):
    """On average over draws of 100 held-out examples, as the theorem says."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(300):
        probabilities = rng.dirichlet([0.4] * 4, 200)
        labels = (probabilities.cumsum(axis=1) < rng.random((200, 1))).sum(axis=1)
        threshold = set_threshold(probabilities[:100], labels[:100], level=level)
        of_truth = probabilities[np.arange(100, 200), labels[100:]]
        covered.append((of_truth >= threshold).mean())
    standard_error = np.std(covered) / np.sqrt(len(covered))
    assert abs(np.mean(covered) - level) < 4 * standard_error + 1 / 101


def test_a_confidence_threshold_keeps_its_share():
    rng = np.random.default_rng(0)
    kept = []
    for _ in range(300):
        confidence = rng.beta(8, 2, 200)
        threshold = confidence_threshold(confidence[:100], share=0.9)
        kept.append((confidence[100:] >= threshold).mean())
    assert np.mean(kept) == pytest.approx(0.9, abs=0.02)


def test_a_confidence_threshold_by_hand():
    confidence = np.arange(1, 20) / 20
    assert confidence_threshold(confidence, share=0.9) == pytest.approx(0.1, rel=1e-3)
    # Too few for this share: the lowest of them.
    assert confidence_threshold(confidence, share=0.99) == pytest.approx(0.05, rel=1e-3)
    assert confidence_threshold(confidence, share=1) == 0


def test_the_threshold_accepts_equal_confidences_in_float32():
    confidence = np.full(50, 1 / 3)
    assert np.float32(1 / 3) >= np.float32(confidence_threshold(confidence, share=0.9))


def test_energies_by_hand():
    logits = np.array([[0.0, 0.0], [1000.0, 0.0]], np.float32)
    np.testing.assert_allclose(energies(logits), [-np.log(2), -1000])


def test_a_score_is_1_at_the_threshold():
    limit = StrangenessThreshold(median=-3.0, largest=-1.0)
    np.testing.assert_allclose(limit.score(np.array([-3.0, -1, 1, -5])), [0, 1, 2, -1])


def _draw(n, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    centres = np.random.default_rng(9).uniform(0, 4, (3, 20))
    features = centres[labels] + rng.normal(0, 1, (n, 20))
    return features @ centres.T / 20, features, labels


def test_energy_and_distance_together_keep_their_share():
    _, features, labels = _draw(300, seed=0)
    space = fit_feature_space(features, labels)
    kept = []
    for seed in range(1, 81):
        logits, features, _ = _draw(400, seed)
        energy, distance, notes = strangeness_thresholds(
            logits[:200], features[:200], space, share=0.95
        )
        assert notes == []
        strange = (energies(logits[200:]) > energy.largest) | (
            space.distances(features[200:]) > distance.largest
        )
        kept.append(1 - strange.mean())
    assert np.mean(kept) == pytest.approx(0.95, abs=0.01)
    assert np.std(kept) > 0


def test_too_few_examples_are_reported_and_accepted():
    logits, features, labels = _draw(50, seed=0)
    space = fit_feature_space(features, labels)
    energy, distance, notes = strangeness_thresholds(
        logits, features, space, share=0.99
    )
    assert "To keep 0.99 of new examples, 99 held-out ones are needed" in notes[0]
    assert (energies(logits) <= energy.largest).all()
    assert (space.distances(features) <= distance.largest).all()


def test_without_space_or_spread_there_is_no_threshold():
    logits, features, labels = _draw(200, seed=0)
    space = fit_feature_space(features, labels)
    energy, distance, notes = strangeness_thresholds(logits, features, None, share=0.99)
    assert energy is not None
    assert distance is None
    (note,) = notes
    assert (
        note
        == "No threshold for distance: it is nearly the same for all, or not finite."
    )
    same = np.zeros_like(logits)
    energy, distance, notes = strangeness_thresholds(same, features, space, share=0.99)
    assert energy is None
    assert distance is not None
    assert "No threshold for energy" in notes[0]
    energy, distance, _ = strangeness_thresholds(logits, features, space, share=1)
    assert (energy, distance) == (None, None)


def test_mostly_equal_values_have_a_finite_threshold():
    _, features, labels = _draw(200, seed=0)
    logits = np.zeros((200, 3))
    logits[0] = -5
    energy, _, _ = strangeness_thresholds(logits, features, None, share=0.9)
    assert np.isfinite(energy.score(energies(logits))).all()
    assert (energy.score(energies(logits)) <= 1).all()
