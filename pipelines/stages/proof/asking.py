"""The model in memory, asked: what an export has to give."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.serving.signatures import explanation
from zoo.graph.blocks import layers_inside


@dataclasses.dataclass(frozen=True, eq=False)
class ModelOutputs:
    """The outputs of a model: float32, with a row for each example."""

    logits: np.ndarray
    features: np.ndarray
    heat: np.ndarray | None


def is_coarse(network: keras.Model) -> bool:
    """True if any layer computes in float16 or bfloat16."""
    return any("float16" in layer.compute_dtype for layer in layers_inside(network))


def asking(
    reference: keras.Model,
    calibration: Any,
    read: np.ndarray,
    *,
    explain: bool,
    in_graph: bool = True,
) -> Callable[[np.ndarray], ModelOutputs]:
    """A function of what the model takes: what it gives, in one graph for all sizes."""
    takes = [tf.TensorSpec([None, *read.shape[1:]], _dtype(read))]

    def run(inputs: tf.Tensor) -> Any:
        return reference(inputs, training=False)[:2]

    network = tf.function(run, input_signature=takes) if in_graph else run
    look: Callable[..., Any] | None = None
    if explain and in_graph:
        answers = keras.Model(reference.input, reference.outputs[:2])
        look = tf.function(
            explanation(answers, reference.outputs[2], calibration),
            input_signature=takes,
        )

    def ask(inputs: np.ndarray) -> ModelOutputs:
        batch = tf.constant(inputs, _dtype(inputs))
        logits, features = (np.asarray(tf.cast(x, tf.float32)) for x in network(batch))
        heat = look(batch)[0].numpy() if look else None
        return ModelOutputs(logits, features, heat)

    return ask


def _dtype(inputs: np.ndarray) -> tf.DType:
    return tf.string if inputs.dtype == object else tf.as_dtype(inputs.dtype)
