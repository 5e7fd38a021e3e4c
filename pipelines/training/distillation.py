"""The loss of a student: the labels, and the answers of a teacher."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# The smallest probability of a teacher, below which a logarithm would leave float32.
_TINY = 1e-12


class DistillationLoss(keras.losses.Loss):
    """The cross-entropy of labels, and the divergence from a teacher.

    Rows of what is learned are `[batch, 2 * classes]`, as in `Lessons`: then the loss
    is `(1 - weight) * H(label, p) + weight * T^2 * KL(teacher, p at T)`, of Hinton,
    Vinyals and Dean (https://arxiv.org/abs/1503.02531). The divergence differs from
    their cross-entropy by a constant, and is 0 where nothing is left to learn. A row
    without a label counts by the divergence alone. Of rows `[batch, classes]`, as
    validation has them, it is the cross-entropy.
    """

    def __init__(self, temperature: float, weight: float, classes: int) -> None:
        super().__init__(name="distillation")
        self.temperature, self.weight, self.classes = temperature, weight, classes

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example, float32 `[batch]`; `y_pred` are logits."""
        logits = ops.cast(y_pred, "float32")
        label = ops.cast(y_true[:, : self.classes], "float32")
        of_label = -ops.sum(label * ops.log_softmax(logits, axis=-1), axis=-1)
        if y_true.shape[-1] == self.classes:
            return of_label
        taught = ops.cast(y_true[:, self.classes :], "float32")
        own = ops.log_softmax(logits / self.temperature, axis=-1)
        logs = ops.log(ops.maximum(taught, _TINY))
        divergence = ops.sum(taught * (logs - own), axis=-1)
        of_teacher = self.temperature**2 * divergence
        return (1.0 - self.weight) * of_label + self.weight * of_teacher

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {
            "temperature": self.temperature,
            "weight": self.weight,
            "classes": self.classes,
        }


def label_accuracy(name: str, classes: int) -> keras.metrics.Metric:
    """The share of rows whose label has the largest logit; see `DistillationLoss`.

    Of a row without a label it is the likeliest class of the teacher.
    """

    def is_right(y_true: Any, y_pred: Any) -> Any:
        label = y_true[:, :classes]
        if y_true.shape[-1] != classes:
            has_label = ops.sum(label, axis=-1, keepdims=True) > 0
            label = ops.where(has_label, label, y_true[:, classes:])
        return keras.metrics.categorical_accuracy(label, y_pred)

    return keras.metrics.MeanMetricWrapper(is_right, name=name)
