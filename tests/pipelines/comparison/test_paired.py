"""Paired tests, against plain computations of the same."""

import numpy as np
import pytest

from pipelines.calibration.reliability import calibration_error_of
from pipelines.comparison.finished import Answers
from pipelines.comparison.paired import (
    Discordant,
    differences,
    discordant,
    holm,
    interval_of_accuracy,
    mcnemar,
    measures,
)


def _answers(count, *, accuracy, seed):
    draw = np.random.default_rng(seed)
    right = draw.random(count) < accuracy
    # Some equal ones, which the calibration error counts as their mean.
    confidence = np.round(draw.uniform(0.4, 1.0, count), 2)
    loss = -np.log(np.where(right, confidence, 1 - np.minimum(confidence, 0.99)))
    names = [str(i) for i in range(count)]
    return Answers(names, names, right, confidence, loss)


CODES = np.arange(200) % 7


def _resampled_plainly(run, codes, rows):
    taken = run.take(rows)
    classes = np.unique(codes[rows])
    recalls = [taken.right[codes[rows] == k].mean() for k in classes]
    return {
        "accuracy": taken.right.mean(),
        "balanced_accuracy": np.mean(recalls),
        "log_loss": taken.loss.mean(),
        "calibration_error": calibration_error_of(taken.confidence, taken.right),
    }


def test_intervals_are_those_of_a_plain_bootstrap():
    runs = [
        _answers(200, accuracy=share, seed=i) for i, share in enumerate([0.6, 0.9, 0.6])
    ]
    found = differences(runs, CODES, resamples=60)
    draw = np.random.default_rng(0)
    plain = []
    for _ in range(60):
        rows = draw.integers(0, 200, 200)
        plain.append([_resampled_plainly(run, CODES, rows) for run in runs])
    for number, row in enumerate(found, start=1):
        for name, away in row.items():
            values = [of[number][name] - of[0][name] for of in plain]
            ends = np.quantile(values, [0.025, 0.975])
            assert (away.low, away.high) == pytest.approx(tuple(ends), abs=1e-12)
            points = [measures(run, CODES)[name] for run in (runs[0], runs[number])]
            assert away.difference == pytest.approx(points[1] - points[0])
    better, same = found
    assert better["accuracy"].p_holm < 0.001 < 0.05 < same["accuracy"].p
    assert better["accuracy"].low > 0.15
    # The smaller of two is doubled, the larger stays.
    assert better["accuracy"].p_holm == pytest.approx(2 * better["accuracy"].p)
    assert same["accuracy"].p_holm == same["accuracy"].p


def test_equal_runs_do_not_differ():
    run = _answers(50, accuracy=0.7, seed=0)
    (row,) = differences([run, run], CODES[:50], resamples=20)
    for away in row.values():
        assert (away.difference, away.low, away.high) == (0, 0, 0)
        assert away.p == away.p_holm == 1


def test_mcnemar_is_the_binomial_of_discordant_examples():
    first, other = (_answers(40, accuracy=0.5, seed=seed) for seed in (1, 2))
    counts = discordant(first, other)
    assert counts.only_first == sum(first.right > other.right) > 0
    assert counts.only_other == sum(other.right > first.right) > 0
    # By hand: 2 * (1 + 8 + 28) / 2 ** 8 for 2 of 8.
    assert mcnemar(Discordant(2, 6)) == pytest.approx(2 * (1 + 8 + 28) / 2**8)
    assert mcnemar(Discordant(0, 0)) == 1


def test_holm_corrects_in_steps():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]


@pytest.mark.parametrize("count", [1, 2, 16])
def test_few_examples_of_a_single_class_are_measured(count):
    runs = [_answers(count, accuracy=0.5, seed=seed) for seed in (0, 1)]
    codes = np.zeros(count, int)
    (row,) = differences(runs, codes, resamples=10)
    assert all(np.isfinite([away.low, away.high]).all() for away in row.values())
    values = measures(runs[0], codes)
    assert values["balanced_accuracy"] == values["accuracy"]
    low, high = interval_of_accuracy(runs[0])
    assert 0 <= low <= values["accuracy"] <= high <= 1


def test_false_alarms_are_as_rare_as_promised():
    alarms = 0
    for seed in range(60):
        runs = [_answers(150, accuracy=0.7, seed=2 * seed + i) for i in (0, 1)]
        (row,) = differences(runs, np.arange(150) % 3, resamples=200)
        alarms += row["log_loss"].p < 0.05
    assert alarms <= 8  # of 60; more than 8 of a level of 5 % come once in 200
