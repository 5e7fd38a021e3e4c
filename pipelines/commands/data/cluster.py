"""`zoo cluster`: groups of examples that look alike, without labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.config import RunConfig
from pipelines.display.clusters_table import clusters_table
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "groups of examples that look alike, without labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "data",
        metavar="REF",
        help="any data, or a folder of images without folders in it",
    )
    parser.add_argument(
        "--k", type=int, default=0, metavar="N", help="clusters; 0, the default: chosen"
    )
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="writes clusters.csv, clusters.html with thumbnails, and clusters.json",
    )
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
        default="all",
        help="average the last block, or all blocks side by side",
    )
    parser.add_argument("--seed", type=int, default=RunConfig().seed)


def run(arguments: argparse.Namespace) -> Answer:
    """Finds the clusters, and answers with their sizes and the files."""
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.methods.clusters import files
    from pipelines.methods.clusters.cluster import cluster
    from pipelines.methods.few_shot.features import Source

    source = Source(
        backbone=arguments.backbone,
        weights=arguments.weights,
        input_size_px=arguments.input_size_px,
        reads=arguments.reads,
        seed=arguments.seed,
    )
    found = cluster(arguments.data, source=source, k=arguments.k)
    written = files.write(found, arguments.to) if arguments.to else []
    values = {**found.values(), "files": [str(path) for path in written]}
    return Answer(values, clusters_table(values))
