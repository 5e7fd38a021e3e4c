"""Calibration error, Brier score and log loss, against numbers by hand."""

import numpy as np
import pytest

from pipelines.calibration.reliability import calibration_error, reliability


def _two_classes(confidence, right):
    """Probabilities of class 0 and the labels that make the answers right or wrong."""
    confidence = np.array(confidence)
    labels = np.where(np.array(right, bool), 0, 1)
    return np.stack([confidence, 1 - confidence], axis=1), labels


def test_calibration_error_of_one_example_by_hand():
    assert calibration_error(*_two_classes([0.8], [1])) == pytest.approx(0.2)
    assert calibration_error(*_two_classes([0.8], [0])) == pytest.approx(0.8)


def test_bins_have_equal_numbers_of_examples():
    # 30 examples are 15 bins of two: one right and one wrong of nearly 0.9 each.
    confidence = 0.9 + np.arange(30) * 1e-6
    found = calibration_error(*_two_classes(confidence, [1, 0] * 15))
    assert found == pytest.approx(0.4, abs=1e-4)
    # Two bins' worth of them right, the rest of 0.9 wrong: |0.9-1| * 4 + 0.9 * 26.
    found = calibration_error(*_two_classes(confidence, [1] * 4 + [0] * 26))
    assert found == pytest.approx((0.1 * 4 + 0.9 * 26) / 30, abs=1e-4)


def test_errors_do_not_cancel_between_bins():
    # 60 examples are 15 bins of four; no bin has both.
    confidence = [0.6] * 32 + [0.9] * 28
    found = calibration_error(*_two_classes(confidence, [1] * 32 + [0] * 28))
    assert found == pytest.approx((0.4 * 32 + 0.9 * 28) / 60)


def test_equal_confidences_make_order_irrelevant():
    right = [1] * 45 + [0] * 15
    found = calibration_error(*_two_classes([0.75] * 60, right))
    assert found == pytest.approx(0)
    assert calibration_error(*_two_classes([0.75] * 60, right[::-1])) == found


def test_only_right_confidences_have_small_errors():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 20_000)
    right = rng.random(20_000) < confidence
    assert calibration_error(*_two_classes(confidence, right)) < 0.02
    too_sure = 1 - (1 - confidence) / 4
    assert calibration_error(*_two_classes(too_sure, right)) > 0.15


def test_brier_score_and_log_loss_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]])
    found = reliability(np.log(probabilities), np.array([0, 2]))
    first = 0.3**2 + 0.2**2 + 0.1**2
    second = 0.1**2 + 0.6**2 + 0.7**2
    assert found.brier_score == pytest.approx((first + second) / 2)
    assert found.log_loss == pytest.approx(-(np.log(0.7) + np.log(0.3)) / 2)
    assert found.calibration_error == pytest.approx((0.3 + 0.6) / 2)
