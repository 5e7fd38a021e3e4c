"""The answers of an artifact on several labels: in its graph, and as expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.calibration.labels import LabelCalibration
from pipelines.data.targets.multi_label import DELIMITER
from pipelines.problems.class_answers import bytes_of
from pipelines.problems.distance import ood_scores
from pipelines.serving.graph_answers import GraphAnswers, Outputs
from pipelines.serving.naming import CLASSIFY
from pipelines.serving.parity import Expected


def graph_answers(calibration: LabelCalibration, names: Sequence[str]) -> GraphAnswers:
    """`LabelCalibration.answer` in the graph; a bad example has no answer.

    `label` has the predicted labels of an example in one string.
    """

    def answer(logits: tf.Tensor, features: tf.Tensor, valid: tf.Tensor) -> Outputs:
        # In the graph: converters take a tensor that is captured for an input.
        temperatures = tf.constant(calibration.temperatures, tf.float32)
        plain = tf.nn.sigmoid(logits / temperatures)
        decided = plain >= tf.constant(calibration.thresholds, tf.float32)
        confidence = tf.reduce_min(tf.where(decided, plain, 1.0 - plain), axis=1)
        predicted = decided & valid[:, None]
        ood_score = tf.where(
            valid, ood_scores(calibration.distance, calibration.space, features), 0.0
        )
        return {
            "probabilities": tf.where(valid[:, None], plain, 0.0),
            "predicted": predicted,
            "label": _joined(predicted, names),
            "confidence": tf.where(valid, confidence, 0.0),
            "accepted": valid
            & (confidence >= calibration.confidence_threshold)
            & (ood_score <= 1.0),
            "ood_score": ood_score,
        }

    def classes_and_scores(answers: Outputs) -> Outputs:
        scores = answers["probabilities"]
        row = tf.constant(list(names))[None, :]
        return {"classes": tf.tile(row, [tf.shape(scores)[0], 1]), "scores": scores}

    return GraphAnswers(answer, CLASSIFY, classes_and_scores)


def _joined(predicted: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
    """The names of the predicted labels of each row, with a delimiter between them."""
    after = tf.constant([f"{name}{DELIMITER}" for name in names])
    words = tf.strings.reduce_join(tf.where(predicted, after, ""), axis=1)
    # `substr` counts bytes, and the delimiter is one.
    length = tf.maximum(tf.strings.length(words) - len(DELIMITER), 0)
    return tf.strings.substr(words, tf.zeros_like(length), length)


def numbers(
    calibration: LabelCalibration, logits: np.ndarray, features: np.ndarray
) -> dict[str, np.ndarray]:
    """Probabilities and strangeness, with a row for each example."""
    answers = calibration.answer(logits, features)
    return {"probabilities": answers.probabilities, "ood_score": answers.ood_score}


def expected(
    calibration: LabelCalibration,
    logits: np.ndarray,
    features: np.ndarray,
    names: Sequence[str],
    *,
    unit: float,
) -> dict[str, Expected]:
    """The answers that the signatures must give for these outputs in memory."""
    answers = calibration.answer(logits, features)
    probabilities = answers.probabilities
    far = np.abs(probabilities - np.array(calibration.thresholds))
    accepted = {"ood_score": np.abs(answers.ood_score - 1) / unit}
    # Where a decision may tip over, so may the confidence in it.
    nearest = far.min(axis=1)
    if calibration.confidence_threshold > 0:
        accepted["probabilities"] = np.minimum(
            np.abs(answers.confidence - calibration.confidence_threshold), nearest
        )
    encoded = bytes_of(names)
    labels = [
        DELIMITER.encode().join(encoded[row].tolist()) for row in answers.predicted
    ]
    return {
        "probabilities": Expected(probabilities.astype(np.float32)),
        "predicted": Expected(answers.predicted, {"probabilities": far}),
        "label": Expected(np.array(labels, "S"), {"probabilities": nearest}),
        "confidence": Expected(
            answers.confidence.astype(np.float32), {"probabilities": nearest}
        ),
        "accepted": Expected(answers.accepted, accepted),
        "ood_score": Expected(answers.ood_score.astype(np.float32)),
        "valid": Expected(np.ones(len(probabilities), bool)),
    }
