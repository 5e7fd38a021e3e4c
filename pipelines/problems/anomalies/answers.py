"""The answers of an artifact on anomalies: in its graph, and as expected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from pipelines.calibration.anomalies import AnomalyCalibration
from pipelines.problems.anomalies import stream
from pipelines.serving.graph_answers import GraphAnswers, Outputs, Stream
from pipelines.serving.naming import ANOMALY_BY_STEP, ANOMALY_MAP, REGRESS
from pipelines.serving.parity import Expected


def graph_answers(calibration: AnomalyCalibration) -> GraphAnswers:
    """`AnomalyCalibration.answer` and `by_place` in the graph; a bad example has zeros.

    The signature `regress` gives the score as TensorFlow Serving's regressions need it.
    """
    count = len(calibration.held_out)

    def answer(outputs: tf.Tensor, features: tf.Tensor, valid: tf.Tensor) -> Outputs:
        # In the graph: made outside, it would be an input of files of other formats.
        held_out = tf.constant(calibration.held_out)
        scores = outputs[:, 0] / calibration.largest
        below = tf.searchsorted(held_out, scores, side="left")
        p_value = tf.cast(1 + count - below, tf.float32) / (count + 1)
        answers = {
            "anomaly_score": tf.where(valid, scores, 0.0),
            "p_value": tf.where(valid, p_value, 0.0),
            "anomalous": valid & (scores > 1.0),
        }
        if calibration.places:
            strange = outputs[:, 1:] / calibration.largest_place
            strange = tf.where(valid[:, None], strange, 0.0)
            shape = (-1, *calibration.places)
            answers[_name_of(calibration)] = tf.reshape(strange, shape)
        return answers

    return GraphAnswers(
        answer,
        REGRESS,
        lambda answers: {"outputs": answers["anomaly_score"][:, None]},
        Stream(stream.answers, stream.expected),
    )


def _name_of(calibration: AnomalyCalibration) -> str:
    """The output that says how strange places are."""
    return ANOMALY_MAP if len(calibration.places) > 1 else ANOMALY_BY_STEP


def numbers(
    calibration: AnomalyCalibration, outputs: np.ndarray, features: np.ndarray
) -> dict[str, np.ndarray]:
    """The score, and how strange each place is."""
    scores = calibration.answer(outputs, features).anomaly_score[:, None]
    strange = calibration.by_place(outputs)
    places = [] if strange is None else [strange.reshape(len(strange), -1)]
    return {"other": np.concatenate([scores, *places], axis=1)}


def expected(
    calibration: AnomalyCalibration, outputs: np.ndarray, features: np.ndarray
) -> dict[str, Expected]:
    """The answers that the signatures must give for these outputs in memory.

    Where a score is as good as one that was held out, rounding decides the p-value.
    """
    answers = calibration.answer(outputs, features)
    scores = answers.anomaly_score
    size = np.maximum(np.abs(scores), 1.0)
    held_out = calibration.held_out.astype(np.float64)
    apart = np.abs(scores[:, None] - held_out).min(axis=1) / size
    strange, also = calibration.by_place(outputs), {}
    if strange is not None:
        also[_name_of(calibration)] = Expected(strange.astype(np.float32))
    return {
        **also,
        "anomaly_score": Expected(scores.astype(np.float32)),
        "p_value": Expected(answers.p_value.astype(np.float32), {"other": apart}),
        "anomalous": Expected(answers.anomalous, {"other": np.abs(scores - 1) / size}),
        "valid": Expected(np.ones(len(outputs), bool)),
    }


def of_examples(answers: Mapping[str, Expected]) -> dict[str, Expected]:
    """The answers of the signature `regress`."""
    score = answers["anomaly_score"]
    return {"outputs": Expected(score.values[:, None])}
