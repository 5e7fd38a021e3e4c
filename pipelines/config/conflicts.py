"""Options of training that exclude each other."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from pipelines.config.schema import FinetuneConfig, RunConfig
from pipelines.errors import ConfigError

# A condition that makes a conflict, and its message.
Conflicts = tuple[tuple[object, str], ...]


def refuse_beside(given: str, rows: Iterable[tuple[object, str, str]]) -> None:
    """Refuses what the field `given` does not go with.

    A row has a condition that makes a conflict, the other field, and what to do.

    Raises:
        ConfigError: for the first conflict, naming both fields.
    """
    for is_conflict, field, remedy in rows:
        if is_conflict:
            raise ConfigError(f"{field}, and {given} is set. {remedy}")


def refuse_without(needed: str, section: Any, consequence: str) -> None:
    """Refuses fields of a section that say nothing while `needed`, one of it, is empty.

    Raises:
        ConfigError: naming the fields that are set; `consequence` has what to do.
    """
    name = needed.rpartition(".")[0]
    changed = [
        f"{name}.{field.name}"
        for field in dataclasses.fields(section)
        if getattr(section, field.name) != field.default
    ]
    if changed:
        raise ConfigError(
            f"{' and '.join(changed)} set, but {needed} is empty, so that {consequence}"
        )


def conflicts(config: RunConfig) -> Iterator[str]:
    """The messages of all conflicts of the options of phases, head and boundary."""
    for find in (_without_blocks, _of_weights, _of_selection, _of_steps, _of_boundary):
        for is_conflict, message in find(config):
            if is_conflict:
                yield message


def _without_blocks(config: RunConfig) -> Conflicts:
    """Options of phases that train blocks, where none trains."""
    strategy, tune = config.strategy, config.finetune
    trains_no_block = strategy == "head_only" or (
        strategy == "cut" and not tune.from_block
    )
    options = {
        "ema_decay": tune.ema_decay,
        "soup": tune.soup,
        "lora_rank": tune.lora_rank,
        "tune": tune.tune != "all",
        "label_smoothing": tune.label_smoothing,
        "accumulate_steps": tune.accumulate_steps > 1,
        "find_learning_rate": tune.find_learning_rate,
    }
    useless = [name for name, value in options.items() if value]
    return (
        (
            tune.batchnorm == "reestimated"
            and (trains_no_block or strategy == "scratch"),
            f"config.finetune.batchnorm is 'reestimated', but strategy '{strategy}'"
            " trains no blocks that were trained before. Use another strategy, or"
            " leave config.finetune.batchnorm out.",
        ),
        (
            useless and trains_no_block,
            f"config.finetune.{' and '.join(useless)} set, but strategy '{strategy}'"
            " trains no blocks, and these are for phases that do. Use another strategy,"
            " or leave them out.",
        ),
    )


def _of_weights(config: RunConfig) -> Conflicts:
    """Averages of weights, and factors of low rank."""
    strategy, tune = config.strategy, config.finetune
    return (
        (
            tune.soup and (tune.batchnorm == "trained" or strategy == "scratch"),
            "config.finetune.soup averages weights of several epochs, and with"
            " BatchNorm in training the statistics of none of them go with the average."
            " Use finetune.batchnorm='frozen', or finetune.ema_decay in place of it.",
        ),
        (
            tune.lora_rank and (tune.soup or tune.ema_decay),
            "config.finetune.lora_rank goes with neither soup nor ema_decay: the"
            " product of averaged factors is not the average of their products. Leave"
            " one of them out.",
        ),
        (
            tune.lora_rank and strategy == "scratch",
            "config.finetune.lora_rank keeps what was learned before and adapts it, and"
            " strategy 'scratch' starts from random weights. Leave lora_rank out, or"
            " use strategy 'full'.",
        ),
        (
            tune.lora_rank and tune.batchnorm == "trained",
            "config.finetune.lora_rank trains nothing but its factors, and"
            " finetune.batchnorm is 'trained'. Use 'frozen' or 'reestimated'.",
        ),
    )


def _of_selection(config: RunConfig) -> Conflicts:
    """Weights that alone train, and their optimizer."""
    strategy, tune = config.strategy, config.finetune
    return (
        (
            tune.tune != "all" and strategy == "scratch",
            f"config.finetune.tune is '{tune.tune}', and strategy 'scratch' starts from"
            " random weights, which all have to train. Use strategy 'full', or tune"
            " 'all'.",
        ),
        (
            tune.tune != "all" and tune.lora_rank,
            f"config.finetune.tune is '{tune.tune}', and lora_rank trains factors in"
            " place of weights. Leave one of them out.",
        ),
        (
            tune.momentum != FinetuneConfig().momentum and tune.optimizer != "sgd",
            f"config.finetune.momentum is {tune.momentum:g}, and the optimizer is"
            f" '{tune.optimizer}', which has momenta of its own. Use"
            " finetune.optimizer='sgd', or leave momentum out.",
        ),
    )


def _of_steps(config: RunConfig) -> Conflicts:
    """Steps of several batches, and rates that are looked for."""
    tune = config.finetune
    return (
        (
            tune.accumulate_steps > 1 and tune.find_learning_rate,
            "config.finetune.find_learning_rate tries a rate with each batch, and"
            " accumulate_steps makes one update of several. Leave one of them out.",
        ),
        (
            tune.accumulate_steps > 1 and tune.ema_decay,
            "config.finetune.ema_decay averages after each batch, and accumulate_steps"
            " makes one update of several. Leave one of them out.",
        ),
        (
            tune.find_learning_rate and tune.learning_rate,
            f"config.finetune.learning_rate is {tune.learning_rate:g}, and"
            " find_learning_rate is to find another. Leave one of them out.",
        ),
    )


def _of_boundary(config: RunConfig) -> Conflicts:
    """Fields that say where the network is cut, or what trains."""
    strategy, head, start = config.strategy, config.head, config.finetune.from_block
    return (
        (
            start and strategy in ("head_only", "full", "scratch"),
            f"config.finetune.from_block is '{start}', but strategy '{strategy}'"
            f" trains {'no block' if strategy == 'head_only' else 'every block'}. Use"
            " strategy 'partial', 'cut' or 'auto', or leave it out.",
        ),
        (
            head.cut_after and strategy != "cut",
            f"config.head.cut_after is '{head.cut_after}', but strategy '{strategy}'"
            " does not cut. Use strategy 'cut', or leave it out.",
        ),
        (
            strategy == "cut" and head.pooling != "average",
            f"config.head.pooling is '{head.pooling}', and strategy 'cut' averages the"
            " blocks that are left. Leave it out, or use another strategy.",
        ),
        (
            head.conv_blocks > 0 and strategy == "scratch",
            f"config.head.conv_blocks is {head.conv_blocks}, and strategy 'scratch'"
            " trains all blocks from random weights. Use another strategy, or leave it"
            " out.",
        ),
    )
