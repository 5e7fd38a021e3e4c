"""Writes one test image of every class to a folder, to try an artifact on files.

Command: python -m pipelines.data.samples REFERENCE FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageFiles, Splits
from pipelines.engine import start_tensorflow


def write_samples(splits: Splits, folder: Path) -> list[Path]:
    """The first test image of every class as `CLASS.png`, and the paths written."""
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for label, name in enumerate(splits.info.class_names):
        members = np.flatnonzero(splits.test.labels == label)
        if not members.size:
            continue  # a test split that the user gave may lack a class
        images = splits.test.images.take(members[:1])
        path = folder / f"{Path(name).name}.png"
        if isinstance(images, ImageFiles):
            path = path.with_suffix(Path(images.paths[0]).suffix)
            path.write_bytes(Path(images.paths[0]).read_bytes())
        else:
            path.write_bytes(tf.io.encode_png(images.pixels[0]).numpy())
        paths.append(path)
    return paths


def main(arguments: Sequence[str]) -> int:
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
