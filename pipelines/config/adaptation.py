"""The fields that adaptation to a target does not go with."""

from typing import TYPE_CHECKING

from pipelines.config.conflicts import refuse_beside, refuse_without
from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.config.schema import RunConfig


def check_adapt(config: "RunConfig") -> None:
    """Refuses fields of adaptation without a target, and others that a target lacks.

    Raises:
        ConfigError: naming both fields, and what to do.
    """
    adapt = config.adapt
    if not adapt.target:
        refuse_without(
            "config.adapt.target",
            adapt,
            "there is nothing to adapt to. Set it, for instance with"
            " --config.adapt.target=dir:phone, or leave the others out.",
        )
        return
    if adapt.labelled and adapt.method != "auto":
        raise ConfigError(
            f"config.adapt.labelled is set, and config.adapt.method is"
            f" '{adapt.method}': labelled examples choose where the method is 'auto'."
            " Leave one of the two out."
        )
    check_head_alone(config, "config.adapt.target")


def check_unlabelled(config: "RunConfig") -> None:
    """Refuses fields that a head from unlabelled examples does not go with.

    Raises:
        ConfigError: naming both fields, and what to do.
    """
    if not config.unlabelled:
        return
    if config.adapt.target:
        raise ConfigError(
            "config.unlabelled and config.adapt.target are both set, and each gives the"
            " head. Use config.unlabelled for more examples like those with labels, and"
            " config.adapt.target for another domain."
        )
    check_head_alone(config, "config.unlabelled")


def check_head_alone(config: "RunConfig", given: str) -> None:
    """Refuses what a head does not go with that is solved on frozen features by itself.

    `given` is the field that asks for it.

    Raises:
        ConfigError: naming both fields, and what to do.
    """
    head, tune = config.head, config.finetune
    # A condition that makes a conflict, the field, and what to do.
    rows = (
        (
            config.problem not in ("auto", "single_label"),
            f"config.problem is '{config.problem}'",
            f"The method compares classes: leave config.problem out, or {given}.",
        ),
        (
            config.folds,
            f"config.folds is {config.folds}",
            "Its head is one, and not the average of several: leave one of the two"
            " out.",
        ),
        (
            config.test_views != "none",
            f"config.test_views is '{config.test_views}'",
            "Its head is for one view of each image: leave one of the two out.",
        ),
        (
            config.strategy not in ("auto", "head_only"),
            f"config.strategy is '{config.strategy}'",
            "Its head reads features of frozen blocks: set config.strategy='head_only',"
            f" or leave {given} out.",
        ),
        (
            tune.from_block,
            f"config.finetune.from_block is '{tune.from_block}'",
            "Its head reads features of frozen blocks: leave one of the two out.",
        ),
        (
            head.init != "probe" or head.hidden_units or head.dropout,
            "config.head has layers or a start of its own",
            "Its head begins in closed form, and methods of adaptation that have a"
            " hidden layer take config.adapt.units: leave head.init, head.hidden_units,"
            " head.pooling and head.dropout out.",
        ),
        (
            head.conv_blocks > 0,
            f"config.head.conv_blocks is {head.conv_blocks}",
            "Its head reads features of frozen blocks: leave one of the two out.",
        ),
        (
            config.distribution in ("workers", "mirrored", "tpu"),
            f"config.distribution is '{config.distribution}'",
            "Its head is solved by one worker on one device, in seconds: set"
            " config.distribution='none'.",
        ),
    )
    refuse_beside(given, rows)
