"""`zoo few-shot`: heads on a few examples of each class, compared over episodes."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from pipelines.commands.console import Answer, say_progress
from pipelines.commands.feature_flags import add_feature_flags, source_of
from pipelines.display.few_shot_table import few_shot_table
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "how well a backbone does with a few examples of new classes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("--data", required=True, metavar="REF")
    parser.add_argument(
        "--ways", type=int, default=5, metavar="N", help="classes of an episode"
    )
    parser.add_argument(
        "--shots",
        type=int,
        default=5,
        metavar="K",
        help="examples of each class to learn from",
    )
    parser.add_argument(
        "--queries",
        type=int,
        default=15,
        metavar="Q",
        help="examples of each class to be judged by",
    )
    parser.add_argument("--episodes", type=int, default=600, metavar="N")
    parser.add_argument(
        "--heads",
        default="",
        metavar="NAME,NAME",
        help="some of centroid, lda, ridge, logistic, metric, auto; default: all",
    )
    parser.add_argument(
        "--base",
        metavar="REF",
        help="labelled data of other classes, for the mean of features and the metric;"
        " default: half of the classes, from which no episode draws",
    )
    add_feature_flags(parser, reads="last")


def run(arguments: argparse.Namespace) -> Answer:
    """Draws the episodes, and answers with the accuracy of each head."""
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.methods.few_shot.episodes import Setting
    from pipelines.methods.few_shot.evaluation import NAMES, evaluate

    evaluation = evaluate(
        arguments.data,
        Setting(
            ways=arguments.ways,
            shots=arguments.shots,
            queries=arguments.queries,
            episodes=arguments.episodes,
            seed=arguments.seed,
        ),
        source=source_of(arguments),
        base=arguments.base,
        heads=tuple(filter(None, arguments.heads.split(","))) or NAMES,
    )
    values = dataclasses.asdict(evaluation)
    return Answer(values, few_shot_table(values))
