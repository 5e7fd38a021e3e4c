"""Calibration: reliable statements of an artifact about its own answers.

Probabilities that match accuracy, a confidence below which the artifact abstains, a
threshold above which an example is unlike the training data, and sets of classes that
contain the right class as often as the config asks for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.calibration.feature_space import FeatureSpace, fit_feature_space
from pipelines.calibration.portions import portions
from pipelines.calibration.temperature import Temperature, choose_temperature, unscaled
from pipelines.calibration.thresholds import (
    EASE,
    StrangenessThreshold,
    confidence_threshold,
    energies,
    prediction_sets,
    strangeness_thresholds,
    threshold_of_truth,
)
from pipelines.config import CalibrationConfig

MIN_EXAMPLES = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The answers of an artifact: arrays with a row for each example.

    `probabilities` are float64 `[n, classes]`, `labels` int64, `ood_score` is 1 at the
    threshold and more above it, `prediction_set` is bool `[n, classes]`.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    ood_score: np.ndarray
    is_confident: np.ndarray
    in_distribution: np.ndarray
    prediction_set: np.ndarray

    @property
    def accepted(self) -> np.ndarray:
        """Bool `[n]`: confident, and like the training data."""
        return self.is_confident & self.in_distribution


@dataclasses.dataclass(frozen=True)
class Calibration:
    """All steps between the logits of a model and the answers of an artifact.

    An example is accepted if its confidence is at least `confidence_threshold`, and if
    neither its energy (https://arxiv.org/abs/2010.03759) nor the distance of its
    features in `space` is above its threshold; without a threshold (None) it is not
    compared. `set_thresholds` are pairs of a level and the probability from which a
    class is in the prediction set of that level; the first pair is served. `reason`
    explains the choices in words.
    """

    scaling: Temperature
    held_out_examples: int
    confidence_threshold: float
    energy: StrangenessThreshold | None
    distance: StrangenessThreshold | None
    set_thresholds: tuple[tuple[float, float], ...]
    reason: str
    space: FeatureSpace | None = dataclasses.field(default=None, compare=False)

    @property
    def set_threshold(self) -> float:
        """The threshold of the level that is served."""
        return self.set_thresholds[0][1]

    def answer(self, logits: np.ndarray, features: np.ndarray) -> Answers:
        """The answers of the artifact's graph for logits and features `[n, ...]`."""
        probabilities = np.exp(self.scaling.log_probabilities(logits))
        labels = probabilities.argmax(axis=1)
        confidence = probabilities.max(axis=1)
        ood_score = self._ood_score(logits, features)
        return Answers(
            probabilities=probabilities,
            labels=labels,
            confidence=confidence,
            ood_score=ood_score,
            is_confident=confidence >= self.confidence_threshold,
            in_distribution=ood_score <= 1,
            prediction_set=prediction_sets(probabilities, self.set_threshold),
        )

    def is_decided(self, answers: Answers) -> np.ndarray:
        """Bool `[n]`: false if a value lies on a threshold, where rounding decides."""
        compared = (
            (answers.confidence[:, None], self.confidence_threshold, EASE),
            # The tolerance of parity explains the factor.
            (answers.ood_score[:, None], 1.0, 10 * EASE),
            (answers.probabilities, self.set_threshold, EASE),
        )
        apart = [
            (np.abs(values - threshold) > ease * threshold).all(axis=1)
            for values, threshold, ease in compared
            if threshold > 0
        ]
        return np.all(apart, axis=0)

    def _ood_score(self, logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        scores = []
        if self.energy:
            scores.append(self.energy.score(energies(logits)))
        if self.distance and self.space:
            scores.append(self.distance.score(self.space.distances(features)))
        return np.max(scores, axis=0) if scores else np.zeros(len(logits))


def uncalibrated(classes: int, *, reason: str, examples: int = 0) -> Calibration:
    """Temperature 1, everything accepted, and every class in every set."""
    return Calibration(
        scaling=unscaled(classes),
        held_out_examples=examples,
        confidence_threshold=0.0,
        energy=None,
        distance=None,
        set_thresholds=((1.0, 0.0),),
        reason=reason,
    )


def calibrate(
    logits: np.ndarray,
    labels: np.ndarray,
    features: np.ndarray,
    train_features: np.ndarray,
    train_labels: np.ndarray,
    *,
    calibration: CalibrationConfig,
    weights: np.ndarray | None = None,
) -> Calibration:
    """The calibration for held-out logits `[n, classes]` and features `[n, width]`.

    They must come from examples that trained nothing: validation, or out of fold.
    Validation also chose the epoch (and the penalty of the probe), so it looks slightly
    easier than new data. The report has the same numbers on test, which chose nothing.
    Examples count by their `weights` `[n]`, above 0 and with a mean of 1.

    With fewer than 20 held-out examples, or values that are not finite, the result is
    `uncalibrated`, and its reason names the cause.
    """
    n, classes = logits.shape
    if calibration.method == "none":
        reason = "config.calibration.method is 'none'."
        return uncalibrated(classes, reason=reason, examples=n)
    if n < MIN_EXAMPLES:
        reason = (
            f"{n} held-out examples are too few; {MIN_EXAMPLES} are needed. Every"
            f" answer is accepted: calibration.coverage={calibration.coverage:g} and"
            f" in_distribution={calibration.in_distribution:g} are not applied."
        )
        return uncalibrated(classes, reason=reason, examples=n)
    if not np.isfinite(logits).all():
        reason = "Held-out logits hold values that are not finite."
        return uncalibrated(classes, reason=reason, examples=n)
    scaling, scaling_reason = choose_temperature(
        logits, labels, method=calibration.method, weights=weights
    )
    confidence, of_truth = _confidences(scaling, logits, labels)
    space = fit_feature_space(train_features, train_labels)
    energy, distance, why_not = strangeness_thresholds(
        logits, features, space, share=calibration.in_distribution, weights=weights
    )
    threshold = confidence_threshold(
        confidence, share=calibration.coverage, weights=weights
    )
    return Calibration(
        scaling=scaling,
        held_out_examples=n,
        confidence_threshold=threshold,
        energy=energy,
        distance=distance,
        set_thresholds=tuple(
            (level, threshold_of_truth(of_truth, level=level, weights=weights))
            for level in calibration.conformal_levels
        ),
        reason=" ".join([scaling_reason, *why_not]),
        space=space if distance else None,
    )


def _confidences(
    scaling: Temperature, logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two probabilities of every example: of the likeliest and of the true class."""
    confidence, of_truth = np.empty(len(labels)), np.empty(len(labels))
    for rows in portions(*logits.shape):
        log_p = scaling.log_probabilities(logits[rows])
        confidence[rows] = np.exp(log_p.max(axis=1))
        of_truth[rows] = np.exp(log_p[np.arange(len(log_p)), labels[rows]])
    return confidence, of_truth


def to_manifest(calibration: Calibration) -> dict[str, Any]:
    """The fields of a manifest: plain values, ready for JSON.

    `space` is in the graph only; the manifest has its size.
    """
    measures = {"energy": calibration.energy, "distance": calibration.distance}
    set_measures = {name: measure for name, measure in measures.items() if measure}
    space = calibration.space
    return {
        "temperature": calibration.scaling.temperature,
        "thresholds": {
            "confidence": calibration.confidence_threshold,
            **{name: measure.largest for name, measure in set_measures.items()},
        },
        "calibration": {
            "method": calibration.scaling.method,
            "class_bias": list(calibration.scaling.bias),
            "reason": calibration.reason,
            "held_out_examples": calibration.held_out_examples,
            "medians": {name: m.median for name, m in set_measures.items()},
            "prediction_sets": [
                {"level": level, "threshold": threshold}
                for level, threshold in calibration.set_thresholds
            ],
            "feature_space_bytes": space.size_bytes if space else 0,
        },
    }


def from_manifest(values: Mapping[str, Any]) -> Calibration:
    """The calibration that `to_manifest` wrote, without `space`."""
    fields, thresholds = values["calibration"], values["thresholds"]
    measures = {
        name: StrangenessThreshold(median, thresholds[name])
        for name, median in fields["medians"].items()
    }
    return Calibration(
        scaling=Temperature(
            method=fields["method"],
            temperature=values["temperature"],
            bias=tuple(fields["class_bias"]),
        ),
        held_out_examples=fields["held_out_examples"],
        confidence_threshold=thresholds["confidence"],
        energy=measures.get("energy"),
        distance=measures.get("distance"),
        set_thresholds=tuple(
            (level["level"], level["threshold"]) for level in fields["prediction_sets"]
        ),
        reason=fields["reason"],
    )
