"""Paired tests: is one run better than another on the same examples?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import binomtest

from pipelines.calibration.reliability import BINS, calibration_error_of
from pipelines.comparison.finished import Answers
from pipelines.runtime.clock import Ticker

RESAMPLES = 2000
# Of a run alone, which waits for them: few enough for a second or two.
_FEWEST_RESAMPLES, _MOST_DRAWN = 200, 10**7
_LEVEL = 0.95

# Each is lower or higher for a better run.
HIGHER_IS_BETTER = {
    "accuracy": True,
    "balanced_accuracy": True,
    "log_loss": False,
    "calibration_error": False,
}


@dataclasses.dataclass(frozen=True)
class Difference:
    """A measure of a run minus the same of the first run.

    `low` and `high` are the ends of a 95 % interval of the paired bootstrap. `p` is the
    probability of a difference at least as large between equal runs: for accuracy of
    McNemar's exact test, for others of the bootstrap. `p_holm` is corrected for the
    number of runs by Holm's method.
    """

    difference: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclasses.dataclass(frozen=True)
class Discordant:
    """The numbers of examples that exactly one of two runs has right."""

    only_first: int
    only_other: int


def measures(answers: Answers, codes: np.ndarray) -> dict[str, float]:
    """The measures of a run; `codes` are its labels as numbers from 0, int64 `[n]`."""
    recalls = np.bincount(codes, answers.right) / np.bincount(codes)
    return {
        "accuracy": float(answers.right.mean()),
        "balanced_accuracy": float(recalls.mean()),
        "log_loss": float(answers.loss.mean()),
        "calibration_error": calibration_error_of(answers.confidence, answers.right),
    }


def interval_of_accuracy(answers: Answers) -> tuple[float, float]:
    """A 95 % interval of an accuracy, by Wilson's method."""
    counted = binomtest(int(answers.right.sum()), len(answers))
    ends = counted.proportion_ci(_LEVEL, method="wilson")
    return float(ends.low), float(ends.high)


def intervals(
    right: np.ndarray,
    confidence: np.ndarray,
    loss: np.ndarray,
    codes: np.ndarray,
) -> dict[str, tuple[float, float]]:
    """95 % intervals of a run alone: accuracy by Wilson's method, others by bootstrap.

    The calibration error has none: drawing examples twice makes it larger.
    """
    run = Answers((), (), right, confidence, loss)
    count = max(_FEWEST_RESAMPLES, min(RESAMPLES, _MOST_DRAWN // len(codes)))
    (drawn,) = _resampled([run], codes, count, Ticker("resamples", count))
    ends = {
        name: np.quantile(drawn[name], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        for name in ("balanced_accuracy", "log_loss")
    }
    return {
        "accuracy": interval_of_accuracy(run),
        **{name: (float(low), float(high)) for name, (low, high) in ends.items()},
    }


def discordant(first: Answers, other: Answers) -> Discordant:
    """The counts that McNemar's test compares."""
    return Discordant(
        int((first.right & ~other.right).sum()), int((other.right & ~first.right).sum())
    )


def mcnemar(counts: Discordant) -> float:
    """The p value of McNemar's exact test, two-sided; 1 if nothing is discordant.

    https://doi.org/10.1007/BF02295996
    """
    total = counts.only_first + counts.only_other
    return 1.0 if total == 0 else float(binomtest(counts.only_first, total).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p values, corrected so that one false alarm among all has the same level.

    https://www.jstor.org/stable/4615733

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        largest = max(largest, (len(p_values) - rank) * p_values[place])
        corrected[place] = min(1.0, largest)
    return corrected


def differences(
    runs: Sequence[Answers],
    codes: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    on_progress: Callable[[int], None] | None = None,
) -> list[dict[str, Difference]]:
    """The differences of all other runs from the first, by measure.

    Every resample draws examples, the same of all runs, which makes it paired. It has
    no state: the same answers give the same intervals.
    """
    points = [measures(run, codes) for run in runs]
    drawn = _resampled(runs, codes, resamples, on_progress)
    rows = []
    for of_run, point, run in zip(drawn[1:], points[1:], runs[1:]):
        row = {}
        for name, values in of_run.items():
            away = values - drawn[0][name]
            low, high = np.quantile(away, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
            is_exact = name == "accuracy"
            p = mcnemar(discordant(runs[0], run)) if is_exact else _p_of(away)
            distance = point[name] - points[0][name]
            row[name] = Difference(distance, float(low), float(high), p, p)
        rows.append(row)
    for name in HIGHER_IS_BETTER:
        for row, p in zip(rows, holm([row[name].p for row in rows])):
            row[name] = dataclasses.replace(row[name], p_holm=p)
    return rows


def _p_of(away: np.ndarray) -> float:
    """The two-sided p value of resampled differences; never 0."""
    tail = min((away <= 0).sum(), (away >= 0).sum())
    return min(1.0, 2 * (int(tail) + 1) / (len(away) + 1))


def _resampled(
    runs: Sequence[Answers],
    codes: np.ndarray,
    resamples: int,
    on_progress: Callable[[int], None] | None,
) -> list[Mapping[str, np.ndarray]]:
    """The measures of every run in every resample, arrays `[resamples]`."""
    count = len(codes)
    sorted_runs = [_Sorted(run, codes) for run in runs]
    columns: list[dict[str, np.ndarray]] = [
        {name: np.empty(resamples) for name in HIGHER_IS_BETTER} for _ in runs
    ]
    draw = np.random.default_rng(0)
    for i in range(resamples):
        times = np.bincount(draw.integers(0, count, count), minlength=count)
        for run, column in zip(sorted_runs, columns):
            for name, value in run.measures(times).items():
                column[name][i] = value
        if on_progress:
            on_progress(i + 1)
    return list(columns)


class _Sorted:
    """The answers of a run, sorted by confidence once, for many resamples."""

    def __init__(self, answers: Answers, codes: np.ndarray) -> None:
        order = np.argsort(answers.confidence, kind="stable")
        self._order, self._codes = order, codes[order]
        self._right = answers.right[order].astype(np.float64)
        self._loss = answers.loss[order]
        self._confidence = answers.confidence[order]
        # Examples of equal confidence each count as their mean; see the measure.
        self._equal = np.unique(self._confidence, return_inverse=True)[1]
        self._bounds = _bounds(len(order))

    def measures(self, times: np.ndarray) -> dict[str, float]:
        """The measures if example `i` were there `times[i]` times."""
        weight = times[self._order]
        count = len(weight)
        right = weight * self._right
        of_class = np.bincount(self._codes, weight)
        drawn = of_class > 0
        recalls = np.bincount(self._codes, right)[drawn] / of_class[drawn]
        return {
            "accuracy": float(right.sum() / count),
            "balanced_accuracy": float(recalls.mean()),
            "log_loss": float(weight @ self._loss / count),
            "calibration_error": self._calibration_error(weight, right),
        }

    def _calibration_error(self, weight: np.ndarray, right: np.ndarray) -> float:
        """As `calibration_error_of` the drawn examples, without sorting them again."""
        alike = np.bincount(self._equal, weight)
        mean = np.bincount(self._equal, right) / np.maximum(alike, 1)
        gap = np.repeat(self._confidence - mean[self._equal], weight)
        return float(np.abs(np.add.reduceat(gap, self._bounds)).sum() / len(gap))


def _bounds(count: int) -> np.ndarray:
    """The first row of each bin, as `numpy.array_split` cuts them."""
    sizes = [len(part) for part in np.array_split(np.arange(count), min(BINS, count))]
    return np.cumsum([0, *sizes[:-1]])
