"""A small network taught by a large one, beside the same network alone.

Fashion items and emoji of one vendor: a seed draws the images of training, validation
and test, and some without labels. The teacher is a head on EfficientNet-Lite0 with
ImageNet's weights at 128 pixels, and the student one on the same network at 32 pixels
(fashion) or 48 (emoji): 16 and 7 times fewer multiply-adds. The student is trained on
labels alone, on the teacher's answers for the same examples, and on its answers for
unlabelled ones too; all are tested on the same examples. The rest is as
`zootune.distil` has it by default, chosen before any test.

`closed` is the share of the gap between the student alone and the teacher, over the
means of all seeds, that is closed.

Command: python -m benchmarks.distil FOLDER --workdir RUNS; FOLDER is the one that
         benchmarks.development_data made.
Cost:    about a minute and a half for a seed of a set and student, on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zootune
from benchmarks.spread import spread

TEACHER: dict[str, Any] = {"backbone": "efficientnet_lite0", "input_size_px": 128}
# A frozen backbone: its head is as good as it gets from a closed form and a few steps,
# so that a student taught with more examples wins little by taking more steps.
_STUDENT: dict[str, Any] = {
    "backbone": "efficientnet_lite0",
    "strategy": "head_only",
}
STUDENTS = {
    "fashion": {**_STUDENT, "input_size_px": 32},
    "emoji": {**_STUDENT, "input_size_px": 48},
}
ARMS = ("teacher", "alone", "distilled", "distilled, unlabelled")
# Images of each split of a set, and those without labels.
SIZES = {
    "fashion": {"train": 700, "validation": 300, "test": 1000, "unlabelled": 3000},
    "emoji": {"train": 600, "validation": 250, "test": 450, "unlabelled": 600},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """The test accuracy of one arm for one seed."""

    data: str
    seed: int
    arm: str
    accuracy: float
    kept: str = ""


def images_of(folder: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """All images uint8 `[n, h, w, 3]` of a set, and their classes as text."""
    if name == "fashion":
        with np.load(folder / "fashion.npz") as arrays:
            pixels = np.repeat(arrays["x"].reshape(-1, 28, 28, 1), 3, axis=3)
            return pixels, arrays["y"].astype(str)
    paths = sorted((folder / "emoji_google").rglob("*.png"))
    opened = [Image.open(path).convert("RGBA") for path in paths]
    white = [Image.new("RGBA", image.size, "white") for image in opened]
    flat = [Image.alpha_composite(w, i).convert("RGB") for w, i in zip(white, opened)]
    pixels = np.stack([np.asarray(image.resize((64, 64))) for image in flat])
    return pixels, np.array([path.parent.name for path in paths])


def parted(folder: Path, name: str, seed: int, to: Path) -> tuple[str, str]:
    """References of labelled and of unlabelled images, drawn by a seed."""
    labelled, unlabelled = to / "labelled", to / "unlabelled"
    if not unlabelled.is_dir():
        pixels, classes = images_of(folder, name)
        _, whole = np.unique(pixels, axis=0, return_index=True)  # no copies
        order = iter(np.random.default_rng(seed).permutation(whole))
        for split, count in SIZES[name].items():
            for i in itertools.islice(order, count):
                known = split != "unlabelled"
                at = labelled / split / classes[i] if known else unlabelled
                at.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[i]).save(at / f"{i}.png")
    return f"dir:{labelled}", f"dir:{unlabelled}"


def rows(folder: Path, workdir: Path, name: str, seed: int) -> Iterator[Row]:
    """The rows of a set and a seed."""
    place = workdir / name / str(seed)
    labelled, unlabelled = parted(folder, name, seed, place / "images")
    teacher = place / "teacher"
    if not (teacher / "report.json").is_file():
        zootune.fine_tune(
            labelled, workdir=teacher, strategy="head_only", seed=seed, **TEACHER
        )
    fields: dict[str, Any] = {"seed": seed, **STUDENTS[name]}
    found: dict[str, tuple[float, str]] = {}
    for arm, pool in (("distilled", ""), ("distilled, unlabelled", unlabelled)):
        to = place / arm.replace(", ", "_")
        alone = place / "distilled" / "alone"
        if pool and alone.is_dir():  # the same run: it is not trained twice
            shutil.copytree(alone, to / "alone", dirs_exist_ok=True)
        done = zootune.distil(teacher, workdir=to, unlabelled=pool, **fields)
        runs = {Path(run.run).name: run.accuracy for run in done.comparison.runs}
        found |= {"teacher": (runs["teacher"], ""), "alone": (runs["alone"], "")}
        found[arm] = (runs["distilled"], done.kept)
    for arm in ARMS:
        accuracy, kept = found[arm]
        yield Row(name, seed, arm, accuracy, kept)


def table(results: list[Row]) -> str:
    """The accuracies as Markdown, with the share of the gap that is closed."""
    lines = [
        "| data | teacher | alone | distilled | closed | kept |"
        " with unlabelled | closed | kept |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for data in dict.fromkeys(row.data for row in results):
        arms = {
            arm: [r for r in results if (r.data, r.arm) == (data, arm)] for arm in ARMS
        }
        mean = {arm: np.mean([r.accuracy for r in of]) for arm, of in arms.items()}
        gap = mean["teacher"] - mean["alone"]
        cells = [data]
        for arm, of in arms.items():
            cells.append(spread([r.accuracy for r in of], digits=3))
            if arm.startswith("distilled"):
                cells.append(f"{(mean[arm] - mean['alone']) / gap:.2f}")
                cells.append(f"{sum(r.kept == 'distilled' for r in of)} of {len(of)}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=list(SIZES))
    arguments = parser.parse_args()
    results: list[Row] = []
    for seed in range(arguments.seeds):
        for name in arguments.sets:
            results += rows(arguments.folder, arguments.workdir, name, seed)
            for row in results[-len(ARMS) :]:
                print(json.dumps(dataclasses.asdict(row)), flush=True)
    print(table(results))


if __name__ == "__main__":
    main()
