"""`zoo meta`: an optimizer, or the last blocks of a network, trained on small tasks."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from pipelines.commands.console import Answer, say_progress
from pipelines.commands.feature_flags import add_feature_flags, source_of
from pipelines.errors import ConfigError
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "learn to learn: an optimizer or a backbone from many small tasks"
_OPTIMIZER, _READS = "optimizer", "last"
# What each flag is where it is left out, by method; a method has no others.
_TASKS = {"ways": 3, "shots": 20, "queries": 15}
_EPISODES = {"ways": 5, "shots": 5, "queries": 15, "rounds": 300, "blocks": 2}
_DEFAULTS: dict[str, dict[str, Any]] = {
    _OPTIMIZER: {**_TASKS, "batch": 32, "rounds": 60, "steps": 100, "rate": 0.01},
    "protonet": {**_EPISODES, "rate": 1e-4},
    "anil": {**_EPISODES, "rate": 1e-4},
    "reptile": {**_EPISODES, "rate": 0.01},
}
_HELP = {
    "ways": "classes of a task",
    "shots": "examples of each class that a task is fitted to",
    "queries": "examples of each class that a task is judged by",
    "batch": "examples that a step reads",
    "rounds": "rounds of four new tasks of an optimizer, or of one of a network",
    "steps": "steps on each task",
    "blocks": "last blocks that train",
    "rate": "learning rate of meta-training",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--method",
        choices=tuple(_DEFAULTS),
        default=_OPTIMIZER,
        help="what is learned: an update rule for heads on frozen features, or the last"
        " blocks of a network",
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the result; the same command goes on where it was stopped",
    )
    for flag, help_ in _HELP.items():
        parser.add_argument(
            f"--{flag}",
            type=float if flag == "rate" else int,
            metavar="N",
            help=f"{help_} (default: {_defaults(flag)})",
        )
    add_feature_flags(parser, reads=_READS)


def _defaults(flag: str) -> str:
    """The defaults of a flag, by method where they differ."""
    by_value: dict[Any, list[str]] = {}
    for method, values in _DEFAULTS.items():
        if flag in values:
            by_value.setdefault(values[flag], []).append(method)
    if len(by_value) == 1 and sum(map(len, by_value.values())) == len(_DEFAULTS):
        return str(*by_value)
    return "; ".join(f"{value} for {', '.join(of)}" for value, of in by_value.items())


def run(arguments: argparse.Namespace) -> Answer:
    """Trains by the method, and answers with its result beside its peers."""
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    values = _values(arguments)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.runs.lock import alone_in

    train = _optimizer if arguments.method == _OPTIMIZER else _backbone
    with alone_in(
        arguments.workdir, subject="--workdir", instead="Choose another --workdir."
    ):
        return train(arguments, values)


def _values(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags of the method, with its defaults.

    Raises:
        ConfigError: for a flag that the method does not have.
    """
    values = dict(_DEFAULTS[arguments.method])
    for flag in _HELP:
        given = getattr(arguments, flag)
        if given is None:
            continue
        if flag not in values:
            raise ConfigError(
                f"--{flag} is {given}, and --method {arguments.method} has no --{flag}."
                f" It has: {', '.join(f'--{name}' for name in values)}. Leave it out."
            )
        values[flag] = given
    if arguments.reads != _READS and arguments.method != _OPTIMIZER:
        raise ConfigError(
            f"--reads is {arguments.reads}, and --method {arguments.method} trains what"
            " the last block gives. Leave --reads out."
        )
    return values


def _optimizer(arguments: argparse.Namespace, values: dict[str, Any]) -> Answer:
    from pipelines.display.meta_table import meta_table
    from pipelines.methods.few_shot.episodes import Setting
    from pipelines.methods.meta.meta_training import MetaSetting
    from pipelines.methods.meta.run import meta_train_optimizer
    from pipelines.methods.meta.tasks import TaskSetting

    task = {name: values[name] for name in _TASKS}
    trained = meta_train_optimizer(
        arguments.data,
        MetaSetting(
            TaskSetting(Setting(**task, seed=arguments.seed), batch=values["batch"]),
            rounds=values["rounds"],
            steps=values["steps"],
            rate=values["rate"],
        ),
        source=source_of(arguments),
        folder=arguments.workdir,
    )
    result = dataclasses.asdict(trained)
    return Answer(result, meta_table(result))


def _backbone(arguments: argparse.Namespace, values: dict[str, Any]) -> Answer:
    from pipelines.display.episodic_table import episodic_table
    from pipelines.methods.episodic.run import train_in_episodes
    from pipelines.methods.episodic.training import EpisodicSetting
    from pipelines.methods.few_shot.episodes import Setting

    task = {name: values.pop(name) for name in _TASKS}
    trained = train_in_episodes(
        arguments.data,
        EpisodicSetting(
            Setting(**task, seed=arguments.seed), method=arguments.method, **values
        ),
        source=source_of(arguments),
        folder=arguments.workdir,
    )
    result = dataclasses.asdict(trained)
    return Answer(result, episodic_table(result))
