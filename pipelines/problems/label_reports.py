"""Reports on several labels for each example."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from sklearn import metrics

_TINY = 1e-7


@dataclasses.dataclass(frozen=True)
class LabelReport:
    """The quality of predictions of several labels on one split.

    `mean_average_precision` is the mean over labels that occur. `f1_micro` counts all
    decisions together, `f1_macro` is the mean over labels, and `exact_match` is the
    share of examples with every label right. `loss` is the mean binary cross-entropy.
    """

    headline: ClassVar[tuple[str, ...]] = ("mean_average_precision", "f1_micro")
    recorded: ClassVar[tuple[str, ...]] = (*headline, "f1_macro", "exact_match", "loss")

    split: str
    examples: int
    mean_average_precision: float
    f1_micro: float
    f1_macro: float
    exact_match: float
    loss: float
    per_label: Mapping[str, Mapping[str, float | None]]


def report(
    split: str,
    labels: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    weights: np.ndarray | None = None,
) -> LabelReport:
    """The report for labels, probabilities and decisions, `[n, labels]` each.

    Where examples have `weights` `[n]`, all but their counts are weighted.
    """
    truth = labels > 0
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, zero_division=0.0, sample_weight=weights
    )
    average = average_precisions(probabilities, labels, weights)
    clipped = np.clip(probabilities.astype(np.float64), _TINY, 1 - _TINY)
    logs = np.where(truth, np.log(clipped), np.log1p(-clipped))
    loss = -np.average(logs.mean(axis=1), weights=weights)
    share = np.ones(len(truth)) if weights is None else weights
    right = 2 * (share @ (truth & predicted)).sum()
    decided = (share @ truth).sum() + (share @ predicted).sum()
    is_exact = (truth == predicted).all(axis=1)
    return LabelReport(
        split=split,
        examples=len(labels),
        mean_average_precision=float(np.nanmean(average)),
        f1_micro=float(right / decided) if decided else 0.0,
        f1_macro=float(f1.mean()),
        exact_match=float(np.average(is_exact, weights=weights)),
        loss=float(loss),
        per_label={
            name: {
                "average_precision": None
                if np.isnan(average[i])
                else float(average[i]),
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "examples": int(truth[:, i].sum()),
            }
            for i, name in enumerate(names)
        },
    )


def average_precisions(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """The average precision of each label, `[labels]`; NaN where it does not occur.

    `scores` and `labels` are `[n, labels]`. Scores that are not finite count as last.
    Examples count by their `weights`.
    """
    if weights is not None:
        rows = weights > 0
        scores, labels, weights = scores[rows], labels[rows], weights[rows]
    scores = np.where(np.isfinite(scores), scores, -np.inf)
    scores = np.maximum(scores, np.finfo(np.float64).min)
    values = np.full(labels.shape[1], np.nan)
    for i in np.flatnonzero(labels.any(axis=0)):
        values[i] = metrics.average_precision_score(
            labels[:, i] > 0, scores[:, i], sample_weight=weights
        )
    return values


def mean_average_precision(
    scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, float]:
    """The mean over labels that occur, and its standard error.

    The error takes the average precision of a label for a share of its examples.
    """
    values = average_precisions(scores, labels, weights)
    occurs = ~np.isnan(values)
    shares, counts = values[occurs], labels.sum(axis=0)[occurs]
    variances = (shares * (1 - shares) + 1 / (counts + 2)) / counts
    return float(shares.mean()), float(np.sqrt(variances.sum()) / len(shares))
