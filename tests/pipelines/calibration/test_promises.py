"""Promised rates hold on new examples, over many splits."""

import numpy as np
import pytest

from pipelines.calibration.labels import calibrate_labels
from pipelines.calibration.promises import (
    NEVER,
    logit_for_misses,
    threshold_for_precision,
)
from pipelines.config import CalibrationConfig

RNG = np.random.default_rng(0)
LABELS = (RNG.random((4000, 4)) < [0.1, 0.3, 0.5, 0.2]).astype(np.float32)
LOGITS = 2.5 * LABELS - 1.5 + RNG.normal(0, 1.2, LABELS.shape)
SPLITS = 300


def missed(predicted, labels):
    has = labels > 0
    return (has & ~predicted).sum(axis=1) / np.maximum(has.sum(axis=1), 1)


@pytest.mark.parametrize(("rate", "examples"), [(0.05, 60), (0.1, 200), (0.3, 40)])
def test_missed_labels_are_as_promised_on_average(rate, examples):
    rates = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(LABELS))
        held_out, new = order[:examples], order[examples:]
        least = logit_for_misses(LOGITS[held_out], LABELS[held_out], rate=rate)
        rates.append(missed(LOGITS[new] >= least, LABELS[new]).mean())
    error = np.std(rates) / np.sqrt(SPLITS)
    assert np.mean(rates) <= rate + 2 * error
    # Counting one example more costs at most twice its share.
    assert np.mean(rates) >= rate - 2 / examples - 2 * error


@pytest.mark.parametrize("precision", [0.7, 0.9])
def test_precision_is_kept_nine_times_in_ten(precision):
    scores, labels, broken, used = LOGITS[:, 2], LABELS[:, 2], 0, 0
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(LABELS))
        held_out, new = order[:300], order[300:]
        threshold = threshold_for_precision(
            scores[held_out], labels[held_out], precision=precision
        )
        predicted = scores[new] >= threshold
        used += predicted.any()
        broken += predicted.any() and labels[new][predicted].mean() < precision
    assert used > 0.6 * SPLITS
    assert broken <= 0.1 * SPLITS + 2 * np.sqrt(0.09 * SPLITS)


def test_too_few_examples_miss_nothing_and_promise_nothing():
    assert logit_for_misses(LOGITS[:5], LABELS[:5], rate=0.1) == -np.inf
    few = threshold_for_precision(np.ones(5), np.ones(5), precision=0.9)
    assert few == NEVER
    wrong = threshold_for_precision(RNG.random(99), np.zeros(99), precision=0.5)
    assert wrong == NEVER


def test_equal_scores_are_on_one_side():
    labels = np.float32([[1]] * 10 + [[0]] * 10)
    least = logit_for_misses(np.zeros((20, 1)), labels, rate=0.2)
    assert least < 0
    threshold = threshold_for_precision(np.full(20, 0.5), labels[:, 0], precision=0.9)
    assert threshold == NEVER


@pytest.mark.parametrize("fields", [{"false_negative_rate": 0.1}, {}])
def test_calibration_keeps_the_stated_rate(fields):
    some = LOGITS[:400], LABELS[:400]
    features = np.random.default_rng(0).normal(size=(400, 3))
    config = CalibrationConfig(**fields)
    calibration = calibrate_labels(
        *some, features, features, np.zeros(400, int), calibration=config
    )
    answers = calibration.answer(LOGITS[400:], np.zeros((3600, 3)))
    rate = missed(answers.predicted, LABELS[400:]).mean()
    assert (rate < 0.12) == bool(fields)
    assert ("miss at most 0.1" in calibration.reason) == bool(fields)


def test_calibration_names_labels_without_a_threshold():
    hopeless = np.zeros((400, 4))
    calibration = calibrate_labels(
        hopeless,
        LABELS[:400],
        hopeless,
        hopeless,
        np.zeros(400, int),
        calibration=CalibrationConfig(least_precision=0.9),
    )
    assert "4 labels have none and are never predicted" in calibration.reason
    assert not calibration.answer(hopeless, hopeless).predicted.any()
