"""The answers on classes that the signatures of an artifact must give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.calibration.calibration import Calibration
from pipelines.serving.parity import Expected


def bytes_of(names: Sequence[str]) -> np.ndarray:
    """Names as an array of bytes `[n]`."""
    return np.array([name.encode() for name in names])


def numbers(
    calibration: Calibration, logits: np.ndarray, features: np.ndarray
) -> dict[str, np.ndarray]:
    """Probabilities and strangeness, with a row for each example."""
    answers = calibration.answer(logits, features)
    return {"probabilities": answers.probabilities, "ood_score": answers.ood_score}


def expected(
    calibration: Calibration,
    logits: np.ndarray,
    features: np.ndarray,
    names: Sequence[str],
    *,
    unit: float,
) -> dict[str, Expected]:
    """The answers that the signatures must give for these outputs in memory.

    `unit` is the change of the strangeness for a relative change of 1 of the outputs.
    """
    answers = calibration.answer(logits, features)
    probabilities = answers.probabilities
    ordered = np.sort(probabilities, axis=1)
    # Half of it, because both may move.
    tie = (ordered[:, -1] - ordered[:, -2]) / 2 if ordered.shape[1] > 1 else None
    of_label = {} if tie is None else {"probabilities": tie}
    of_set = np.full(probabilities.shape, np.inf)
    if calibration.set_threshold > 0:
        of_set = np.abs(probabilities - calibration.set_threshold)
    if tie is not None:
        is_first = probabilities >= ordered[:, -2:-1]
        of_set = np.where(is_first, np.minimum(of_set, tie[:, None]), of_set)
    accepted = {"ood_score": np.abs(answers.ood_score - 1) / unit}
    if calibration.confidence_threshold > 0:
        accepted["probabilities"] = np.abs(
            answers.confidence - calibration.confidence_threshold
        )
    return {
        "probabilities": Expected(probabilities.astype(np.float32)),
        "label": Expected(bytes_of(names)[answers.labels], of_label),
        "confidence": Expected(answers.confidence.astype(np.float32)),
        "accepted": Expected(answers.accepted, accepted),
        "ood_score": Expected(answers.ood_score.astype(np.float32)),
        "prediction_set": Expected(answers.prediction_set, {"probabilities": of_set}),
        "valid": Expected(np.ones(len(answers.labels), bool)),
    }


def of_examples(scores: Expected, names: Sequence[str]) -> dict[str, Expected]:
    """The answers of the signature `classify`, which lists all names and scores."""
    classes = np.tile(bytes_of(names), (len(scores.values), 1))
    return {"classes": Expected(classes), "scores": scores}
