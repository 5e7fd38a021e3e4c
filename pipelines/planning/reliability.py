"""How far probabilities can be believed: calibration error, Brier score, log loss."""

from __future__ import annotations

import dataclasses

import numpy as np

_BINS = 15


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Three measures of the probabilities of one split; 0 is best for each.

    `calibration_error` is explained at the function of that name. `brier_score` is the
    mean of the squared differences to the truth, summed over classes (0 to 2), and
    `log_loss` the mean of minus the log of the probability of the true class.
    """

    calibration_error: float
    brier_score: float
    log_loss: float


def reliability(log_probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """The measures for log probabilities `[n, classes]` and labels `[n]`."""
    probabilities = np.exp(log_probabilities)
    rows = np.arange(len(labels))
    truth = np.zeros_like(probabilities)
    truth[rows, labels] = 1.0
    return Reliability(
        calibration_error=calibration_error(probabilities, labels),
        brier_score=float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        log_loss=float(-log_probabilities[rows, labels].mean()),
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error: how far confidence is from accuracy, 0 to 1.

    Examples are sorted by confidence, the largest probability, and cut into 15 bins of
    equal size. The result is the mean over examples of the distance between the mean
    confidence and the accuracy of their bin. Confidences that are right give more than
    0, by chance: with an accuracy of 83 % about 0.08 for 100 examples, 0.03 for 750.
    """
    confidence = probabilities.max(axis=1)
    is_right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    # Equal confidences cannot be told apart; each counts as their mean, so that the
    # order of the examples does not matter.
    values, which = np.unique(confidence, return_inverse=True)
    mean_right = np.bincount(which, is_right) / np.bincount(which)
    gap = np.sort(confidence) - mean_right[np.sort(which)]
    bins = np.array_split(gap, min(_BINS, len(gap)))
    return float(sum(abs(one.sum()) for one in bins) / len(gap))
