"""The part of the graph between the outputs of a model and its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

Outputs = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class GraphAnswers:
    """The answers of an artifact as functions of tensors.

    `answer` makes them of outputs, features and which examples are valid. The signature
    `examples` takes serialized `tf.train.Example`, and `of_examples` makes its outputs
    of the answers; without a name there is no such signature.
    """

    answer: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Outputs]
    examples: str
    of_examples: Callable[[Outputs], Outputs]
