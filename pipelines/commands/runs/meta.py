"""`zoo meta`: an optimizer that is trained on many small tasks."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.commands.feature_flags import add_feature_flags, source_of
from pipelines.display.meta_table import meta_table
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "learn to learn: train an optimizer on many small tasks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--method",
        choices=("optimizer",),
        default="optimizer",
        help="what is learned: an update rule for heads on frozen features",
    )
    parser.add_argument(
        "--workdir",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the result; the same command goes on where it was stopped",
    )
    _add_tasks(parser)
    add_feature_flags(parser, reads="last")


def _add_tasks(parser: argparse.ArgumentParser) -> None:
    for flag, default, help_ in (
        ("--ways", 3, "classes of a task"),
        ("--shots", 20, "examples of each class that a task is fitted to"),
        ("--queries", 15, "examples of each class that a task is judged by"),
        ("--batch", 32, "examples that a step reads"),
        ("--rounds", 60, "rounds of four new tasks"),
        ("--steps", 100, "steps on each task"),
    ):
        parser.add_argument(flag, type=int, default=default, metavar="N", help=help_)
    parser.add_argument(
        "--rate", type=float, default=0.01, help="learning rate of meta-training"
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Trains the optimizer, and answers with its losses beside those of tuned ones."""
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.methods.few_shot.episodes import Setting
    from pipelines.methods.meta.meta_training import MetaSetting
    from pipelines.methods.meta.run import meta_train_optimizer
    from pipelines.methods.meta.tasks import TaskSetting
    from pipelines.runs.lock import alone_in

    setting = MetaSetting(
        TaskSetting(
            Setting(
                ways=arguments.ways,
                shots=arguments.shots,
                queries=arguments.queries,
                seed=arguments.seed,
            ),
            batch=arguments.batch,
        ),
        rounds=arguments.rounds,
        steps=arguments.steps,
        rate=arguments.rate,
    )
    with alone_in(
        arguments.workdir, subject="--workdir", instead="Choose another --workdir."
    ):
        trained = meta_train_optimizer(
            arguments.data,
            setting,
            source=source_of(arguments),
            folder=arguments.workdir,
        )
    values = dataclasses.asdict(trained)
    return Answer(values, meta_table(values))
