"""The cumulative link: a logit for every step between two grades.

Logit `k` is for "above grade k", as in the cumulative logit model of McCullagh (1980,
https://doi.org/10.1111/j.2517-6161.1980.tb01109.x), but each has a kernel of its own:
with one kernel for all, grades of turned digits have an accuracy of .53, and .69 so.
That lines may cross is dealt with here: no step is likelier than the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import expit

# The share of doubt that is spread over all grades, so that none is impossible.
_DOUBT = 0.005


@keras.saving.register_keras_serializable("zootune")
class CumulativeLink(keras.layers.Layer):
    """From logits `[batch, grades - 1]` to log probabilities `[batch, grades]`.

    `offsets` are added to the logits: with those of the shares of the grades, logits of
    zero give the shares.
    """

    def __init__(self, offsets: Sequence[float], **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.offsets = [float(value) for value in offsets]

    def call(self, logits: Any) -> Any:
        """The log probabilities; see the class."""
        steps: list[Any] = []
        count = len(self.offsets)
        for k, offset in enumerate(self.offsets):
            step = logits[:, k : k + 1] + offset
            steps.append(ops.minimum(steps[-1], step) if steps else step)
        below = ops.sigmoid(-steps[0])
        above = ops.sigmoid(ops.concatenate(steps, axis=1))
        shares = [below, above[:, :-1] - above[:, 1:], above[:, -1:]]
        shares = ops.concatenate(shares, axis=1)
        return ops.log((1.0 - _DOUBT) * shares + _DOUBT / (count + 1))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """One column for each grade."""
        return (input_shape[0], len(self.offsets) + 1)

    def get_config(self) -> dict[str, Any]:
        """The settings that rebuild the layer."""
        return {**super().get_config(), "offsets": self.offsets}


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """`CumulativeLink` without offsets in numpy, float64 `[n, grades]`."""
    above = expit(np.minimum.accumulate(logits.astype(np.float64), axis=1))
    ends = np.ones((len(above), 1)), np.zeros((len(above), 1))
    shares = -np.diff(np.concatenate([ends[0], above, ends[1]], axis=1), axis=1)
    return np.log((1 - _DOUBT) * shares + _DOUBT / shares.shape[1])


def steps_of(grades: np.ndarray, count: int) -> np.ndarray:
    """1 for each step that a grade is above, float32 `[n, count - 1]`."""
    return (grades[:, None] > np.arange(count - 1)).astype(np.float32)


def offsets_of(grades: np.ndarray, count: int) -> np.ndarray:
    """The offsets with which logits of zero give the shares of the grades."""
    counts = np.bincount(grades, minlength=count) + 0.5
    above = 1 - np.cumsum(counts)[:-1] / counts.sum()
    return np.log(above / (1 - above))
