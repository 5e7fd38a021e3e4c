"""The flags of commands that read frozen features of a backbone."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipelines.config import RunConfig

if TYPE_CHECKING:
    from pipelines.methods.few_shot.features import Source


def add_feature_flags(parser: argparse.ArgumentParser, *, reads: str) -> None:
    """Adds the flags of the features, and the seed; `reads` is the default of its flag.

    `source_of` reads them.
    """
    parser.add_argument(
        "--backbone",
        default="",
        metavar="NAME",
        help="default: the one of the modality",
    )
    parser.add_argument(
        "--weights",
        default=RunConfig().weights,
        metavar="WEIGHTS",
        help="as config.weights",
    )
    parser.add_argument(
        "--input-size-px",
        type=int,
        default=0,
        metavar="PX",
        help="side of an image; 0: the one of the backbone",
    )
    parser.add_argument(
        "--reads",
        choices=("last", "all"),
        default=reads,
        help="average the last block, or all blocks side by side",
    )
    parser.add_argument("--seed", type=int, default=RunConfig().seed)


def source_of(arguments: argparse.Namespace) -> Source:
    """The features that the flags ask for."""
    from pipelines.methods.few_shot.features import Source

    return Source(
        backbone=arguments.backbone,
        weights=arguments.weights,
        input_size_px=arguments.input_size_px,
        reads=arguments.reads,
        seed=arguments.seed,
    )
