"""Writes one test example of every class to a folder, to try an artifact on files.

Command: python -m pipelines.data.samples REFERENCE FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.data.names import free_name
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import (
    ImageArray,
    ImageFiles,
    ImageRecords,
    Inputs,
    Sounds,
    Splits,
    Table,
    Texts,
)
from pipelines.data.tables.rows import row_of
from pipelines.runtime.startup import start_tensorflow


def write_samples(splits: Splits, folder: Path) -> list[Path]:
    """The first test example of every class in a file, and the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    taken: set[str] = set()
    for label, name in enumerate(splits.info.class_names):
        members = np.flatnonzero(splits.test.labels == label)
        if not members.size:
            continue  # a test split that the user gave may lack a class
        example = splits.test.inputs.take(members[:1])
        paths.append(
            _write(example, folder / free_name(Path(name).name or "class", taken))
        )
    return paths


def _write(example: Inputs, stem: Path) -> Path:
    """Writes a single example; the kind decides the suffix."""
    import tensorflow as tf

    from pipelines.data.images.encoded import record_bytes
    from pipelines.data.images.file_types import kind_of

    if isinstance(example, ImageFiles):
        path = stem.with_name(stem.name + Path(example.paths[0]).suffix)
        path.write_bytes(Path(example.paths[0]).read_bytes())
    elif isinstance(example, ImageRecords):
        content = record_bytes(example, 0)
        path = stem.with_name(f"{stem.name}.{kind_of(content).lower()}")
        path.write_bytes(content)
    elif isinstance(example, ImageArray):
        path = stem.with_name(f"{stem.name}.png")
        path.write_bytes(tf.io.encode_png(example[0]).numpy())
    elif isinstance(example, Sounds):
        path = stem.with_name(f"{stem.name}.wav")
        path.write_bytes(example.values[0])
    elif isinstance(example, Texts):
        path = stem.with_name(f"{stem.name}.txt")
        path.write_bytes(example.values[0])
    elif isinstance(example, Table):
        path = stem.with_name(f"{stem.name}.json")
        path.write_text(json.dumps(row_of(example, 0)) + "\n")
    else:
        path = stem.with_name(f"{stem.name}.npy")
        np.save(path, example.values[0])
    return path


def main(arguments: Sequence[str]) -> int:
    """Writes the samples, prints their paths and returns the exit code."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    start_tensorflow()
    from pipelines.data.load import load

    reference, folder = arguments
    for path in write_samples(load(DatasetRef.parse(reference)), Path(folder)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
