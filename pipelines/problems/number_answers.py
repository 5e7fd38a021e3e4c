"""The answers of an artifact on numbers: in its graph, and as expected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from pipelines.calibration.intervals import NumberCalibration
from pipelines.calibration.spread import Spread
from pipelines.problems.distance import ood_scores
from pipelines.serving.graph_answers import GraphAnswers, Outputs
from pipelines.serving.naming import REGRESS
from pipelines.serving.parity import Expected

_NUMBERS = ("values", "lower", "upper")


def graph_answers(calibration: NumberCalibration) -> GraphAnswers:
    """`NumberCalibration.answer` in the graph; a bad example has zeros.

    With one target the signature `regress` gives its values as TensorFlow Serving's
    regressions need them.
    """

    def answer(outputs: tf.Tensor, features: tf.Tensor, valid: tf.Tensor) -> Outputs:
        # In the graph: converters take a tensor that is captured for an input.
        mean, scale, half = (
            tf.constant(numbers, tf.float32)
            for numbers in (
                calibration.mean,
                calibration.scale,
                calibration.intervals[0].half_widths,
            )
        )
        values = outputs * scale + mean
        accepted = valid
        if calibration.spread is not None:
            spread = _spread(calibration.spread, features)
            half = half * spread
            accepted &= tf.reduce_max(spread, axis=1) <= calibration.largest_spread
        ood_score = tf.where(
            valid, ood_scores(calibration.distance, calibration.space, features), 0.0
        )
        numbers = {"values": values, "lower": values - half, "upper": values + half}
        return {
            **{name: tf.where(valid[:, None], x, 0.0) for name, x in numbers.items()},
            "accepted": accepted & (ood_score <= 1.0),
            "ood_score": ood_score,
        }

    return GraphAnswers(
        answer,
        REGRESS if len(calibration.mean) == 1 else "",
        lambda answers: {"outputs": answers["values"]},
    )


def _spread(spread: Spread, features: tf.Tensor) -> tf.Tensor:
    """`Spread` in the graph."""
    mean, scale, kernel, bias, floor = (
        tf.constant(numbers, tf.float32)
        for numbers in (
            spread.mean,
            spread.scale,
            spread.kernel,
            spread.bias,
            spread.floor,
        )
    )
    return tf.maximum(tf.matmul((features - mean) / scale, kernel) + bias, floor)


def numbers(
    calibration: NumberCalibration, outputs: np.ndarray, features: np.ndarray
) -> dict[str, np.ndarray]:
    """Values and intervals, on the scale of the outputs, and strangeness."""
    answers = calibration.answer(outputs, features)
    other = np.concatenate([answers.values, answers.upper], axis=1)
    return {"other": other, "ood_score": answers.ood_score}


def expected(
    calibration: NumberCalibration,
    outputs: np.ndarray,
    features: np.ndarray,
    *,
    unit: float,
) -> dict[str, Expected]:
    """The answers that the signatures must give for these outputs in memory."""
    answers = calibration.answer(outputs, features)
    far = {"ood_score": np.abs(answers.ood_score - 1) / unit}
    if calibration.spread is not None:
        largest = calibration.spread(features).max(axis=1)
        far["other"] = np.abs(largest - calibration.largest_spread)
    return {
        **{
            name: Expected(getattr(answers, name).astype(np.float32))
            for name in _NUMBERS
        },
        "accepted": Expected(answers.accepted, far),
        "ood_score": Expected(answers.ood_score.astype(np.float32)),
        "valid": Expected(np.ones(len(outputs), bool)),
    }


def of_examples(answers: Mapping[str, Expected]) -> dict[str, Expected]:
    """The answers of the signature `regress`."""
    return {"outputs": answers["values"]}
