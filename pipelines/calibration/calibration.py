"""Calibration: what the artifact may say of its own answers.

Probabilities that mean what they say, a confidence below which it abstains, a limit
beyond which an example is unlike the training data, and sets of classes that hold the
right one as often as was asked for.
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
    Limit,
    confidence_threshold,
    energies,
    prediction_sets,
    strangeness_limits,
    threshold_of_truth,
)
from pipelines.config import CalibrationConfig

MIN_EXAMPLES = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What the artifact answers: arrays with a row for each example.

    `probabilities` are float64 `[n, classes]`, `labels` int64, `ood_score` 1 at the
    limit and more beyond, `prediction_set` bool `[n, classes]`.
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
        return self.is_confident & self.in_distribution


@dataclasses.dataclass(frozen=True)
class Calibration:
    """All that is between the logits of a model and the answers of an artifact.

    An example is accepted if its confidence is at least `confidence_threshold`, and if
    neither its energy (https://arxiv.org/abs/2010.03759) nor the distance of its
    features in `space` is over its limit; None is no limit. `set_thresholds` are pairs
    of a level and the probability from which a class is in the prediction set of that
    level; the first one is served. `reason` says in words how all this was found.
    """

    scaling: Temperature
    held_out_examples: int
    confidence_threshold: float
    energy: Limit | None
    distance: Limit | None
    set_thresholds: tuple[tuple[float, float], ...]
    reason: str
    space: FeatureSpace | None = dataclasses.field(default=None, compare=False)

    @property
    def set_threshold(self) -> float:
        """The threshold of the level that is served."""
        return self.set_thresholds[0][1]

    def answer(self, logits: np.ndarray, features: np.ndarray) -> Answers:
        """What the graph of the artifact gives for logits and features `[n, ...]`."""
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
        """Bool `[n]`: false where a value lies on a limit, and rounding decides."""
        compared = (
            (answers.confidence[:, None], self.confidence_threshold, EASE),
            # See the tolerance of parity for this one.
            (answers.ood_score[:, None], 1.0, 10 * EASE),
            (answers.probabilities, self.set_threshold, EASE),
        )
        apart = [
            (np.abs(values - limit) > ease * limit).all(axis=1)
            for values, limit, ease in compared
            if limit > 0
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
) -> Calibration:
    """The calibration for held-out logits `[n, classes]` and features `[n, width]`.

    They must be of examples that trained nothing: validation, or out of fold. One thing
    they cannot undo: validation also chose the epoch (and the penalty of the probe), so
    it looks slightly easier than new data. The report has the same numbers on test,
    which chose nothing.

    Data that say too little give the defaults of `uncalibrated`, and the reason says
    what was missing: fewer than 20 held-out examples, values that are not finite.
    """
    n, classes = logits.shape
    if calibration.method == "none":
        return uncalibrated(classes, reason="calibration.method is none.", examples=n)
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
        logits, labels, method=calibration.method
    )
    confidence, of_truth = _confidences(scaling, logits, labels)
    space = fit_feature_space(train_features, train_labels)
    energy, distance, why_not = strangeness_limits(
        logits, features, space, share=calibration.in_distribution
    )
    threshold = confidence_threshold(confidence, share=calibration.coverage)
    return Calibration(
        scaling=scaling,
        held_out_examples=n,
        confidence_threshold=threshold,
        energy=energy,
        distance=distance,
        set_thresholds=tuple(
            (level, threshold_of_truth(of_truth, level=level))
            for level in calibration.conformal_levels
        ),
        reason=" ".join([scaling_reason, *why_not]),
        space=space if distance else None,
    )


def _confidences(
    scaling: Temperature, logits: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The largest probability of every example, and that of its true class."""
    confidence, of_truth = np.empty(len(labels)), np.empty(len(labels))
    for rows in portions(*logits.shape):
        log_p = scaling.log_probabilities(logits[rows])
        confidence[rows] = np.exp(log_p.max(axis=1))
        of_truth[rows] = np.exp(log_p[np.arange(len(log_p)), labels[rows]])
    return confidence, of_truth


def to_manifest(calibration: Calibration) -> dict[str, Any]:
    """The fields of a manifest: plain values, ready for JSON.

    `space` is in the graph only; its size is told.
    """
    limits = {"energy": calibration.energy, "distance": calibration.distance}
    found = {name: limit for name, limit in limits.items() if limit}
    space = calibration.space
    return {
        "temperature": calibration.scaling.temperature,
        "thresholds": {
            "confidence": calibration.confidence_threshold,
            **{name: limit.largest for name, limit in found.items()},
        },
        "calibration": {
            "method": calibration.scaling.method,
            "class_bias": list(calibration.scaling.bias),
            "reason": calibration.reason,
            "held_out_examples": calibration.held_out_examples,
            "medians": {name: limit.median for name, limit in found.items()},
            "prediction_sets": [
                {"level": level, "threshold": threshold}
                for level, threshold in calibration.set_thresholds
            ],
            "feature_space_bytes": space.size_bytes if space else 0,
        },
    }


def from_manifest(values: Mapping[str, Any]) -> Calibration:
    """What `to_manifest` gave, also after going through JSON; without `space`."""
    told, thresholds = values["calibration"], values["thresholds"]
    limits = {
        name: Limit(median, thresholds[name])
        for name, median in told["medians"].items()
    }
    return Calibration(
        scaling=Temperature(
            method=told["method"],
            temperature=values["temperature"],
            bias=tuple(told["class_bias"]),
        ),
        held_out_examples=told["held_out_examples"],
        confidence_threshold=thresholds["confidence"],
        energy=limits.get("energy"),
        distance=limits.get("distance"),
        set_thresholds=tuple(
            (one["level"], one["threshold"]) for one in told["prediction_sets"]
        ),
        reason=told["reason"],
    )
