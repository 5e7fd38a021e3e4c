"""The shares of classes in a batch, from probabilities for others."""

import numpy as np

from pipelines.drift.prior import estimated_shares, reweighted

TRAINED = np.array([0.5, 0.5])


def _posterior(labels, draw, trained):
    """Exact probabilities for values around -1 and 1, if classes have these shares."""
    x = draw.normal(2 * labels - 1, 1.0)
    odds = np.exp(2 * x) * trained[1] / trained[0]
    return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)


def test_estimate_comes_near_to_other_shares():
    draw = np.random.default_rng(0)
    labels = (draw.random(4000) < 0.15).astype(int)
    probabilities = _posterior(labels, draw, TRAINED)
    # Answers alone say too many of the rare class.
    assert (probabilities.argmax(axis=1) == 1).mean() > 0.22
    shares = estimated_shares(probabilities, TRAINED)
    assert abs(shares[1] - labels.mean()) < 0.02
    better = reweighted(probabilities, TRAINED, shares)
    right = [(p.argmax(axis=1) == labels).mean() for p in (probabilities, better)]
    assert right[1] > right[0] + 0.02
    np.testing.assert_allclose(better.sum(axis=1), 1)


def test_same_shares_stay():
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 2, 4000)
    probabilities = _posterior(labels, draw, TRAINED)
    assert abs(estimated_shares(probabilities, TRAINED)[1] - 0.5) < 0.03
    same = reweighted(probabilities, TRAINED, TRAINED)
    np.testing.assert_allclose(same, probabilities, atol=1e-9)


def test_class_without_examples_in_training_has_no_nan():
    probabilities = np.array([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]])
    shares = estimated_shares(probabilities, np.array([3, 1, 0]))
    assert np.isfinite(shares).all()
    assert shares[2] < 1e-6
