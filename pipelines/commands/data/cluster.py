"""`zoo cluster`: groups of examples that look alike, without labels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.commands.console import Answer, say_progress
from pipelines.commands.feature_flags import add_feature_flags, source_of
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
    add_feature_flags(parser, reads="all")


def run(arguments: argparse.Namespace) -> Answer:
    """Finds the clusters, and answers with their sizes and the files."""
    from pipelines.data.reference import DatasetRef

    DatasetRef.parse(arguments.data)
    start_tensorflow()
    say_progress(sys.stderr)
    from pipelines.methods.clusters import files
    from pipelines.methods.clusters.cluster import cluster

    found = cluster(arguments.data, source=source_of(arguments), k=arguments.k)
    written = files.write(found, arguments.to) if arguments.to else []
    values = {**found.values(), "files": [str(path) for path in written]}
    return Answer(values, clusters_table(values))
