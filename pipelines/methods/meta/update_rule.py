"""An update rule with shared coordinates: one small LSTM steps every weight.

Andrychowicz and others, 2016 (https://arxiv.org/abs/1606.04474): two layers of 20
units, the same numbers for every coordinate, so that a rule fits any model.
"""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.errors import ConfigError

UNITS = 20
# The state of a coordinate: output and memory of two layers.
STATE_WIDTH = 4 * UNITS
_SHAPES = (
    (2 + UNITS, 4 * UNITS),
    (4 * UNITS,),
    (2 * UNITS, 4 * UNITS),
    (4 * UNITS,),
    (UNITS, 1),
    (1,),
)
_SIZES = tuple(int(np.prod(shape)) for shape in _SHAPES)
# Gradients below e^-10 are given as they are, others by logarithm and sign.
_SMALLEST_LOG = 10.0
_OUTPUT_SCALE = 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class UpdateRule:
    """The numbers of the LSTM, float32, in the order of its layers.

    Raises:
        ConfigError: for numbers of another shape, or that are not finite.
    """

    weights: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        shapes = tuple(np.shape(part) for part in self.weights)
        if shapes != _SHAPES:
            raise ConfigError(
                f"The weights of a learned optimizer have the shapes {_SHAPES}; these"
                f" have {shapes}. Load the file that `zoo meta` wrote with this"
                " version."
            )
        if not all(np.isfinite(part).all() for part in self.weights):
            raise ConfigError(
                "The weights of a learned optimizer are not finite numbers. Train it"
                " again, with a smaller --rate."
            )

    def encoded(self) -> str:
        """All numbers as text, for a config; `decoded` reads it bit for bit."""
        flat = np.concatenate([part.ravel() for part in self.weights])
        return base64.b64encode(flat.astype("<f4").tobytes()).decode()


def decoded(text: str) -> UpdateRule:
    """The rule of an encoded text.

    Raises:
        ConfigError: if the text is not one.
    """
    try:
        flat = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
        parts = np.split(flat.astype(np.float32), np.cumsum(_SIZES)[:-1])
        weights = tuple(part.reshape(shape) for part, shape in zip(parts, _SHAPES))
    except ValueError as error:
        raise ConfigError(
            f"An update rule cannot be read from this text: {error}. Load the file"
            " that `zoo meta` wrote: `LearnedOptimizer.load(path)`."
        ) from error
    return UpdateRule(weights)


def new_rule(seed: int) -> UpdateRule:
    """A rule to start from: Glorot's kernels, and gates that remember."""
    rng = np.random.default_rng(seed)
    weights = []
    for shape in _SHAPES:
        if len(shape) == 1:
            part = np.zeros(shape)
            part[UNITS : 2 * UNITS] = float(shape[0] == 4 * UNITS)
        else:
            limit = np.sqrt(6 / sum(shape))
            part = rng.uniform(-limit, limit, shape)
        weights.append(part.astype(np.float32))
    return UpdateRule(tuple(weights))


def update_of(weights: Any, gradient: tf.Tensor, state: tf.Tensor) -> Any:
    """What is added to coordinates, `[n]`, and their next states `[n, STATE_WIDTH]`.

    `gradient` is float32 `[n]`; states begin as zeros.
    """
    first, first_bias, second, second_bias, out, out_bias = weights
    low, low_memory, high, high_memory = tf.split(state, 4, axis=1)
    low, low_memory = _layer(_readable(gradient), low, low_memory, first, first_bias)
    high, high_memory = _layer(low, high, high_memory, second, second_bias)
    step = _OUTPUT_SCALE * (tf.matmul(high, out) + out_bias)
    return step[:, 0], tf.concat([low, low_memory, high, high_memory], axis=1)


def _readable(gradient: tf.Tensor) -> tf.Tensor:
    """Two inputs of a gradient, both from -1 to 1, `[n, 2]`."""
    size = tf.abs(gradient)
    floor = float(np.exp(-_SMALLEST_LOG))
    is_large = size >= floor
    log = tf.math.log(tf.maximum(size, floor)) / _SMALLEST_LOG
    return tf.stack(
        [
            tf.where(is_large, tf.clip_by_value(log, -1.0, 1.0), -1.0),
            tf.where(is_large, tf.sign(gradient), gradient / floor),
        ],
        axis=1,
    )


def _layer(
    inputs: tf.Tensor, output: tf.Tensor, memory: tf.Tensor, kernel: Any, bias: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of an LSTM: the next output and memory."""
    gates = tf.matmul(tf.concat([inputs, output], axis=1), kernel) + bias
    enter, keep, new, leave = tf.split(gates, 4, axis=1)
    memory = tf.sigmoid(keep) * memory + tf.sigmoid(enter) * tf.tanh(new)
    return tf.sigmoid(leave) * tf.tanh(memory), memory
