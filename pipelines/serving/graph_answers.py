"""The part of the graph between the outputs of a model and its answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import tensorflow as tf

from pipelines.serving.parity import Expected

Outputs = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Stream:
    """The answers for series of any length, by windows of the length that is trained.

    `answers` makes them of a function that answers for windows, the series, and that
    length; `expected` has what they must be for series of just that length, by the
    answers for one.
    """

    answers: Callable[[Callable[[tf.Tensor], Outputs], tf.Tensor, int], Outputs]
    expected: Callable[[Mapping[str, Expected], int], dict[str, Expected]]


@dataclasses.dataclass(frozen=True)
class GraphAnswers:
    """The answers of an artifact as functions of tensors.

    `answer` makes them of outputs, features and which examples are valid. The signature
    `examples` takes serialized `tf.train.Example`, and `of_examples` makes its outputs
    of the answers; without a name there is no such signature. With a `stream` there is
    a signature for long series, if the model reads series.
    """

    answer: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Outputs]
    examples: str
    of_examples: Callable[[Outputs], Outputs]
    stream: Stream | None = None
