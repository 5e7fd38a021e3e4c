"""The reliability of probabilities: calibration error, Brier score, log loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from pipelines.calibration.portions import portions

BINS = 15


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Three measures of the probabilities of one split; 0 is best for each.

    `calibration_error` is explained at `calibration_error_of`. `brier_score` is the
    mean of the squared differences to the truth, summed over classes (0 to 2), and
    `log_loss` the mean of minus the log of the probability of the true class.
    """

    calibration_error: float
    brier_score: float
    log_loss: float


@dataclasses.dataclass(frozen=True, eq=False)
class PredictionScores:
    """A summary of the probabilities of every example, `[n]` each.

    `predicted` is the likeliest class and `confidence` its probability. `loss` is minus
    the log of the true class's probability, and `brier` the sum of squared differences.
    """

    predicted: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray
    brier: np.ndarray


def score_predictions(
    log_probabilities: np.ndarray, labels: np.ndarray
) -> PredictionScores:
    """The scores for log probabilities `[n, classes]` and labels `[n]`."""
    return concatenated(
        _score_portion(log_probabilities[rows], labels[rows])
        for rows in portions(*log_probabilities.shape)
    )


def concatenated(parts: Iterable[PredictionScores]) -> PredictionScores:
    """The scores of all portions, in order."""
    columns = zip(*(dataclasses.astuple(part) for part in parts))
    return PredictionScores(*map(np.concatenate, columns))


def _score_portion(
    log_probabilities: np.ndarray, labels: np.ndarray
) -> PredictionScores:
    rows = np.arange(len(labels))
    differences = np.exp(log_probabilities)
    confidence = differences.max(axis=1)
    differences[rows, labels] -= 1.0
    return PredictionScores(
        predicted=log_probabilities.argmax(axis=1),
        confidence=confidence,
        loss=-log_probabilities[rows, labels],
        brier=np.square(differences, out=differences).sum(axis=1),
    )


def reliability(log_probabilities: np.ndarray, labels: np.ndarray) -> Reliability:
    """The measures for log probabilities `[n, classes]` and labels `[n]`."""
    return reliability_of(score_predictions(log_probabilities, labels), labels)


def reliability_of(scores: PredictionScores, labels: np.ndarray) -> Reliability:
    """The measures for the scores of examples with labels `[n]`."""
    return Reliability(
        calibration_error=calibration_error_of(
            scores.confidence, scores.predicted == labels
        ),
        brier_score=float(scores.brier.mean()),
        log_loss=float(scores.loss.mean()),
    )


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The error of probabilities `[n, classes]`; see `calibration_error_of`."""
    return calibration_error_of(
        probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    )


def calibration_error_of(confidence: np.ndarray, is_right: np.ndarray) -> float:
    """The expected calibration error: distance of confidence and accuracy, 0 to 1.

    Examples are sorted by confidence, the largest probability, and cut into 15 bins of
    equal size. The result is the mean over examples of the distance between the mean
    confidence and the accuracy of their bin. Perfect confidences give more than 0, by
    chance: with an accuracy of 83 % about 0.08 for 100 examples, 0.03 for 750.
    """
    # Examples of equal confidence each count as their mean, so that their order does
    # not matter.
    values, which = np.unique(confidence, return_inverse=True)
    mean_right = np.bincount(which, is_right.astype(np.float64)) / np.bincount(which)
    gap = np.sort(confidence) - mean_right[np.sort(which)]
    bins = np.array_split(gap, min(BINS, len(gap)))
    return float(sum(abs(part.sum()) for part in bins) / len(gap))
