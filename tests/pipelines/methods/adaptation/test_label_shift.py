"""Estimated shares of classes, and answers weighted by them."""

import numpy as np
from scipy.special import log_softmax

from pipelines.methods.adaptation.label_shift import (
    bias_corrected,
    label_shift,
    target_shares,
)
from tests.pipelines.methods.adaptation.gaussians import (
    SETTINGS,
    domains,
    drawn,
    right,
)

_SHARES = (0.8, 0.15, 0.05)


def _other_shares():
    source, labels = drawn(600, seed=1)
    target, truth = drawn(400, seed=2, shares=_SHARES)
    return domains(0.6 * source, labels, 0.6 * target), truth


def test_target_shares_of_sure_answers_are_counts():
    sure = np.eye(3)[[0, 0, 0, 1]] * 0.97 + 0.01
    shares = target_shares(sure, np.full(3, 1 / 3))
    np.testing.assert_allclose(shares, [0.75, 0.25, 0.0], atol=0.02)


def test_bias_corrected_lowers_the_loss():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    logits = 8 * (np.eye(3)[labels] + rng.normal(size=(300, 3)))
    factor, bias = bias_corrected(logits, labels)

    def loss(values):
        return -log_softmax(values, axis=1)[np.arange(300), labels].mean()

    assert 0 < factor < 1
    assert loss(factor * logits + bias) < loss(logits) - 0.1


def test_label_shift_estimates_shares_and_gains():
    both, truth = _other_shares()
    adapted = label_shift(both, SETTINGS)
    before = right(adapted.for_source, both.target, truth)
    assert right(adapted.head, both.target, truth) > before + 0.02
    shares = np.bincount(adapted.head.logits([both.target]).argmax(axis=1)) / 400
    assert abs(shares[0] - _SHARES[0]) < 0.1
