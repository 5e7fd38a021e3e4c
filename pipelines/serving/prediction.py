"""The prediction for one example. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Prediction:
    """The answer of an artifact for one example.

    `valid` is false for bytes that are not a readable image, a blank text, or a series
    with a value that is missing; then `label` is empty and every probability 0.
    `accepted` is false where the artifact abstains: the confidence is too low, or the
    example is unlike the training data, which is where `ood_score` is over 1.
    `prediction_set` are the classes that it could be, likeliest first; they hold the
    right one at least as often as the first level of
    `manifest.calibration["prediction_sets"]` says. `reason` says what is wrong with an
    example that is not valid, as far as its bytes show.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    accepted: bool
    ood_score: float
    prediction_set: tuple[str, ...]
    valid: bool
    reason: str = ""


def from_outputs(
    row: Mapping[str, Any], class_names: Sequence[str], *, reason: str = ""
) -> Prediction:
    """The prediction in one row of the outputs of the default signature."""
    probabilities = np.asarray(row["probabilities"])
    likeliest_first = np.argsort(-probabilities, kind="stable")
    label = row["label"]
    return Prediction(
        label=label.decode() if isinstance(label, bytes) else label,
        confidence=float(row["confidence"]),
        probabilities=dict(zip(class_names, map(float, probabilities))),
        accepted=bool(row["accepted"]),
        ood_score=float(row["ood_score"]),
        prediction_set=tuple(
            class_names[k] for k in likeliest_first if row["prediction_set"][k]
        ),
        valid=bool(row["valid"]),
        reason=reason,
    )
