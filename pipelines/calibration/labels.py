"""Calibration of several labels for each example: temperatures and thresholds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from pipelines.calibration.feature_space import FeatureSpace, fit_feature_space
from pipelines.calibration.promises import (
    CERTAINTY,
    NEVER,
    logit_for_misses,
    threshold_for_precision,
)
from pipelines.calibration.thresholds import (
    StrangenessThreshold,
    confidence_threshold,
    distance_threshold,
)
from pipelines.config import CalibrationConfig

MIN_EXAMPLES = 20
# The logarithm of a temperature is expected within this much of 0, so that a label with
# few examples keeps a temperature near 1.
_SPREAD = 0.5
_LOG_BOUNDS = (-3.0, 3.0)
# With fewer examples the threshold of a label is the one of all labels together.
_FEWEST_FOR_A_THRESHOLD = 10
_EVEN = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class LabelAnswers:
    """The answers of an artifact for several labels, with a row for each example.

    `probabilities` are float64 `[n, labels]` and `predicted` bool of that shape.
    `confidence` is the probability that the least certain decision is right.
    """

    probabilities: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    ood_score: np.ndarray
    accepted: np.ndarray


@dataclasses.dataclass(frozen=True)
class LabelCalibration:
    """All steps between the logits `[n, labels]` and the answers of an artifact.

    A label is predicted where `sigmoid(logit / temperature)` reaches its threshold.
    """

    temperatures: tuple[float, ...]
    thresholds: tuple[float, ...]
    held_out_examples: int
    confidence_threshold: float
    distance: StrangenessThreshold | None
    reason: str
    space: FeatureSpace | None = dataclasses.field(default=None, compare=False)

    def answer(self, logits: np.ndarray, features: np.ndarray) -> LabelAnswers:
        """The answers of the artifact's graph for logits and features `[n, ...]`."""
        probabilities = expit(logits.astype(np.float64) / np.array(self.temperatures))
        predicted = probabilities >= np.array(self.thresholds)
        confidence = confidence_of(probabilities, predicted)
        ood_score = distance_scores(self.distance, self.space, features)
        return LabelAnswers(
            probabilities,
            predicted,
            confidence,
            ood_score,
            (confidence >= self.confidence_threshold) & (ood_score <= 1),
        )

    def to_manifest(self) -> dict[str, Any]:
        """The fields of a manifest: plain values, ready for JSON."""
        return {
            "temperature": float(np.exp(np.mean(np.log(self.temperatures)))),
            "thresholds": thresholds_of(self.confidence_threshold, self.distance),
            "calibration": {
                "temperatures": list(self.temperatures),
                "label_thresholds": list(self.thresholds),
                "reason": self.reason,
                "held_out_examples": self.held_out_examples,
                "medians": medians_of(self.distance),
                "feature_space_bytes": self.space.size_bytes if self.space else 0,
            },
        }


def confidence_of(probabilities: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The probability that the least certain decision of each example is right."""
    return np.where(predicted, probabilities, 1 - probabilities).min(axis=1)


def distance_scores(
    distance: StrangenessThreshold | None,
    space: FeatureSpace | None,
    features: np.ndarray,
) -> np.ndarray:
    """The strangeness of every example, `[n]`: 1 at the threshold, 0 without one."""
    if distance is None or space is None:
        return np.zeros(len(features))
    return distance.score(space.distances(features))


def thresholds_of(
    confidence: float | None, distance: StrangenessThreshold | None
) -> dict[str, float]:
    """The thresholds by name, for a manifest."""
    named = {} if confidence is None else {"confidence": confidence}
    return named if distance is None else {**named, "distance": distance.largest}


def medians_of(distance: StrangenessThreshold | None) -> dict[str, float]:
    """The usual distance, for a manifest."""
    return {} if distance is None else {"distance": distance.median}


def calibrate_labels(
    logits: np.ndarray,
    labels: np.ndarray,
    features: np.ndarray,
    train_features: np.ndarray,
    train_strata: np.ndarray,
    *,
    calibration: CalibrationConfig,
    weights: np.ndarray | None = None,
) -> LabelCalibration:
    """The calibration for held-out logits and labels `[n, labels]`.

    `train_strata` group the training features `[rows, width]`, as classes would. With
    fewer than 20 examples, or `method=none`, nothing is changed and all is accepted.
    Examples count by their `weights` `[n]`, above 0 and with a mean of 1.
    """
    n, count = logits.shape
    reason = _why_not(n, logits, calibration)
    if reason:
        return LabelCalibration((1.0,) * count, (_EVEN,) * count, n, 0.0, None, reason)
    temperatures = tuple(
        label_temperature(logits[:, i], labels[:, i], weights) for i in range(count)
    )
    probabilities = expit(logits.astype(np.float64) / np.array(temperatures))
    thresholds, how = _thresholds(
        logits, probabilities, labels, temperatures, calibration, weights
    )
    confidence = confidence_of(probabilities, probabilities >= np.array(thresholds))
    space = fit_feature_space(train_features, train_strata)
    distance, notes = distance_threshold(
        features, space, share=calibration.in_distribution, weights=weights
    )
    return LabelCalibration(
        temperatures,
        thresholds,
        n,
        confidence_threshold(confidence, share=calibration.coverage, weights=weights),
        distance,
        " ".join(
            [
                f"A temperature for each label, and {how}, from {n} held-out examples.",
                *notes,
            ]
        ),
        space if distance else None,
    )


def _thresholds(
    logits: np.ndarray,
    probabilities: np.ndarray,
    labels: np.ndarray,
    temperatures: tuple[float, ...],
    calibration: CalibrationConfig,
    weights: np.ndarray | None,
) -> tuple[tuple[float, ...], str]:
    """The threshold of each label, and how they were chosen.

    Rates are promised of examples, so that weights count for the best F1 only.
    """
    rate, precision = calibration.false_negative_rate, calibration.least_precision
    if rate:
        # By logits as they are: temperatures were fitted to the same examples, and
        # would make the promise a little too bright.
        least = logit_for_misses(logits, labels, rate=rate)
        thresholds = tuple(float(expit(least / scale)) for scale in temperatures)
        how = f"thresholds that miss at most {rate:g} of the labels of an example"
        if np.isinf(least):
            how = f"{how} (too few held-out examples for any: all are predicted)"
        return thresholds, how
    if not precision:
        best = f1_thresholds(probabilities, labels, weights)
        return best, "the threshold with the best F1"
    thresholds = tuple(
        threshold_for_precision(probabilities[:, i], labels[:, i], precision=precision)
        for i in range(labels.shape[1])
    )
    never = sum(threshold == NEVER for threshold in thresholds)
    return thresholds, (
        f"the lowest threshold with a precision of {precision:g} (with"
        f" {CERTAINTY:.0%} certainty for each label); {never} labels have none and are"
        " never predicted"
    )


def _why_not(n: int, logits: np.ndarray, calibration: CalibrationConfig) -> str:
    if calibration.method == "none":
        return "config.calibration.method is 'none'."
    if n < MIN_EXAMPLES:
        few = f"{n} held-out examples are too few; {MIN_EXAMPLES} are needed."
        return f"{few}{_not_promised(calibration)}"
    if not np.isfinite(logits).all():
        return (
            "Held-out logits hold values that are not finite."
            f"{_not_promised(calibration)}"
        )
    return ""


def _not_promised(calibration: CalibrationConfig) -> str:
    """A sentence on the rate that the config asks for, if it asks for one."""
    for field in ("false_negative_rate", "least_precision"):
        if getattr(calibration, field):
            return f" So config.calibration.{field} is not kept."
    return ""


def label_temperature(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The likeliest temperature of one label; logits, labels and weights are `[n]`.

    Temperatures near 1 are likelier before anything is seen.
    """
    signed = np.where(labels > 0, logits, -logits).astype(np.float64)

    def loss(log_temperature: float) -> float:
        likely = log_expit(signed / np.exp(log_temperature))
        likelihood = likely.sum() if weights is None else weights @ likely
        return float(log_temperature**2 / (2 * _SPREAD**2) - likelihood)

    fitted = minimize_scalar(loss, bounds=_LOG_BOUNDS, method="bounded")
    return float(np.exp(fitted.x))


def f1_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, ...]:
    """For each label the threshold with the best F1, `[labels]`.

    A label with fewer than 10 examples takes the best one of all labels together.
    """
    of_all = None if weights is None else np.repeat(weights, labels.shape[1])
    common = best_f1_threshold(probabilities.ravel(), labels.ravel(), of_all)
    return tuple(
        best_f1_threshold(probabilities[:, i], labels[:, i], weights)
        if labels[:, i].sum() >= _FEWEST_FOR_A_THRESHOLD
        else common
        for i in range(labels.shape[1])
    )


def best_f1_threshold(
    probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """The threshold `[0, 1]` with the best F1, half-way between two probabilities."""
    order = np.argsort(-probabilities, kind="stable")
    count = np.arange(1, len(labels) + 1)
    if weights is not None:
        labels, count = labels * weights, np.cumsum(weights[order])
    ordered, right = probabilities[order], np.cumsum(labels[order])
    # Only where the next one differs: equal probabilities are on one side.
    ends = np.flatnonzero(np.append(np.diff(ordered) < 0, True))
    f1 = 2 * right[ends] / (count[ends] + max(labels.sum(), 1))
    best = int(ends[f1.argmax()])
    if right[best] == 0:
        return _EVEN
    below = ordered[best + 1] if best + 1 < len(ordered) else 0.0
    return float((ordered[best] + below) / 2)
