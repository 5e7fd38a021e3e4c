"""The record of what a run learned from a teacher."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Distillation:
    """A teacher, what it answered, and how its answers counted.

    `training_accuracy` and `mean_confidence` are of the teacher on the `examples` of
    training, which it has learned itself; `unlabelled` is the number of more examples
    that it answered.
    """

    teacher: str
    backbone: str
    temperature: float
    weight: float
    examples: int
    unlabelled: int
    training_accuracy: float
    mean_confidence: float
