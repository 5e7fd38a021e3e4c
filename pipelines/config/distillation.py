"""The fields that learning from a teacher does not go with."""

import dataclasses
from typing import TYPE_CHECKING

from pipelines.config.sections.distil import DistilConfig
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.config.schema import RunConfig


def check_distil(config: "RunConfig") -> None:
    """Refuses fields of a teacher without one, and others that it does not go with.

    Raises:
        ConfigError: naming both fields, and what to do.
    """
    distil = config.distil
    if not distil.teacher:
        _refuse_without_teacher(distil)
        return
    # A condition that makes a conflict, the field, and what to do.
    conflicts = (
        (
            config.folds,
            f"config.folds is {config.folds}",
            "The teacher has seen all folds but one: leave one of the two out.",
        ),
        (
            config.adapt.target,
            f"config.adapt.target is '{config.adapt.target}'",
            "Distil first, and adapt the finished run with zoo adapt.",
        ),
        (
            config.unlabelled,
            f"config.unlabelled is '{config.unlabelled}'",
            "A teacher answers examples without labels: name them in"
            " config.distil.unlabelled, and leave config.unlabelled out.",
        ),
        (
            config.imbalance != "none",
            f"config.imbalance is '{config.imbalance}'",
            "The teacher answers for the shares that it was trained with: train it with"
            " config.imbalance, and leave it out for the student.",
        ),
        (
            config.finetune.label_smoothing,
            f"config.finetune.label_smoothing is {config.finetune.label_smoothing:g}",
            "A teacher's answers are soft already: leave one of the two out.",
        ),
        (
            config.distribution in ("workers", "mirrored", "tpu"),
            f"config.distribution is '{config.distribution}'",
            "One device learns from a teacher: set config.distribution='none'.",
        ),
    )
    for is_conflict, field, remedy in conflicts:
        if is_conflict:
            raise ConfigError(f"{field}, and config.distil.teacher is set. {remedy}")


def _refuse_without_teacher(distil: DistilConfig) -> None:
    changed = [
        f"config.distil.{field.name}"
        for field in dataclasses.fields(DistilConfig)
        if getattr(distil, field.name) != field.default
    ]
    if changed:
        raise ConfigError(
            f"{' and '.join(changed)} set, but config.distil.teacher is empty, so that"
            " there is nothing to learn from. Set it to the folder of a finished run,"
            " or leave the others out."
        )
