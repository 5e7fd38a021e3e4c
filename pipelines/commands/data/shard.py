"""`zoo shard`: writes a data set as record files, which train faster from a network."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from pipelines.commands.console import Answer
from pipelines.data.sharding.beam import LOCAL
from pipelines.runtime.startup import start_tensorflow

SUMMARY = "write a data set as record files, with Beam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument("data", metavar="REF")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--shards", type=int, default=8, metavar="N", help="files for each split"
    )
    parser.add_argument(
        "--runner", default=LOCAL, help="of Beam; DirectRunner: this machine"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the runner, such as region=europe-west1; may be given several times",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Writes the files, and answers with the records of each split and class."""
    from pipelines.data.reference import DatasetRef
    from pipelines.runtime.clock import Clock

    reference = DatasetRef.parse(arguments.data)
    start_tensorflow()
    from pipelines.data.sharding.shard import shard

    written = shard(
        reference,
        arguments.to,
        shards=arguments.shards,
        runner=arguments.runner,
        options=[f"--{option}" for option in arguments.option],
        on_progress=Clock().progress,
    )
    lines = [
        f"{split}: {sum(counts.values())} records"
        for split, counts in written.counts.items()
    ]
    text = "\n".join([*lines, f"read them with: tfrecord:{arguments.to}"])
    return Answer(dataclasses.asdict(written), text)
