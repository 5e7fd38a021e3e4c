"""The fields that learning from a teacher does not go with."""

from typing import TYPE_CHECKING

from pipelines.config.conflicts import refuse_beside, refuse_without

if TYPE_CHECKING:
    from pipelines.config.schema import RunConfig


def check_distil(config: "RunConfig") -> None:
    """Refuses fields of a teacher without one, and others that it does not go with.

    Raises:
        ConfigError: naming both fields, and what to do.
    """
    distil = config.distil
    if not distil.teacher:
        refuse_without(
            "config.distil.teacher",
            distil,
            "there is nothing to learn from. Set it to the folder of a finished run,"
            " or leave the others out.",
        )
        return
    # A condition that makes a conflict, the field, and what to do.
    rows = (
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
    refuse_beside("config.distil.teacher", rows)
