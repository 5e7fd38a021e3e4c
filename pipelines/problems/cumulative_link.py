"""The cumulative link: one score for each example, and cut points between grades.

The probability of at most grade `k` is `sigmoid(cut point k - score)`, the proportional
odds of McCullagh (1980, https://doi.org/10.1111/j.2517-6161.1980.tb01109.x).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.optimize import minimize
from scipy.special import log_expit

# Two cut points are at least this far apart, so that every grade has a probability.
_CLOSEST = 1e-3
_LOG_BOUNDS = (-7.0, 4.0)
_SHARPNESS_BOUNDS = (-2.0, 5.0)
_STEPS = 200


@keras.saving.register_keras_serializable("zootune")
class CumulativeLink(keras.layers.Layer):
    """From scores `[batch, 1]` to the log probabilities of grades `[batch, grades]`.

    `cut_points` are the first ones, in ascending order; they train.
    """

    def __init__(self, cut_points: Sequence[float], **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.cut_points = [float(value) for value in cut_points]

    def build(self, input_shape: Any) -> None:
        first, gaps = self.cut_points[0], np.diff(self.cut_points)
        self.first = self.add_weight(
            shape=(1,), initializer=keras.initializers.Constant(first), name="first"
        )
        log_gaps = np.log(np.maximum(gaps - _CLOSEST, _CLOSEST))
        self.log_gaps = self.add_weight(
            shape=(len(gaps),), initializer="zeros", name="log_gaps"
        )
        self.log_gaps.assign(log_gaps.astype(np.float32))

    def call(self, scores: Any) -> Any:
        gaps = ops.exp(self.log_gaps) + _CLOSEST
        cut_points = ops.concatenate([self.first, self.first + ops.cumsum(gaps)])
        below = ops.log_sigmoid(cut_points - scores)
        above = ops.log_sigmoid(scores - cut_points)
        # For a < b, sigmoid(b) - sigmoid(a) is sigmoid(b) sigmoid(-a) (1 - exp(a - b)).
        between = below[:, 1:] + above[:, :-1] + ops.log1p(-ops.exp(-gaps))
        return ops.concatenate([below[:, :1], between, above[:, -1:]], axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        return (input_shape[0], len(self.cut_points) + 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cut_points": self.cut_points}


def log_probabilities(scores: np.ndarray, cut_points: np.ndarray) -> np.ndarray:
    """`CumulativeLink` in numpy: float64 `[n, grades]` for scores `[n]`."""
    from_score = cut_points - scores.astype(np.float64)[:, None]
    below, above = log_expit(from_score), log_expit(-from_score)
    shrunk = np.log1p(-np.exp(-np.maximum(np.diff(cut_points), _CLOSEST)))
    between = below[:, 1:] + above[:, :-1] + shrunk
    return np.concatenate([below[:, :1], between, above[:, -1:]], axis=1)


def even_cut_points(grades: np.ndarray, count: int) -> np.ndarray:
    """The cut points with which a score of 0 gives the shares of the grades."""
    counts = np.bincount(grades, minlength=count) + 0.5
    below = np.cumsum(counts)[:-1] / counts.sum()
    return np.log(below / (1 - below))


def fit_link(
    scores: np.ndarray, grades: np.ndarray, count: int
) -> tuple[float, np.ndarray]:
    """The factor on scores `[n]` and the cut points with the highest likelihood.

    A little doubt about every answer keeps the factor finite where scores part the
    grades without a mistake.
    """
    start = even_cut_points(grades, count)
    spread = float(scores.std()) or 1.0
    scaled = (scores - scores.mean()) / spread
    rows = np.arange(len(grades))
    gaps = np.log(np.maximum(np.diff(start), 2 * _CLOSEST))

    def unpacked(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        steps = np.exp(parameters[2:]) + _CLOSEST
        points = parameters[1] + np.concatenate([[0.0], np.cumsum(steps)])
        return float(np.exp(parameters[0])), points

    def loss(parameters: np.ndarray) -> float:
        factor, points = unpacked(parameters)
        logs = log_probabilities(factor * scaled, points)
        doubt = logs.mean()
        return float(-logs[rows, grades].mean() - doubt / (len(grades) + 2))

    fitted = minimize(
        loss,
        np.concatenate([[0.5, start[0]], gaps]),
        method="L-BFGS-B",
        bounds=[_SHARPNESS_BOUNDS, (None, None), *[_LOG_BOUNDS] * len(gaps)],
        options={"maxiter": _STEPS},
    ).x
    factor, points = unpacked(fitted)
    # Scores were centred and scaled.
    return factor / spread, points + factor * float(scores.mean()) / spread
