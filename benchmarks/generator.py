"""Does a classifier learn from images that a generator drew? And from moved ones?

20 images of each digit are taken by a seed, 16 to train on and 4 to validate; 500
others are the test. The generator learns from the 16, and draws 100 of each class.
Beside it: five copies of each training image, shifted by up to 2 of 28 px and turned by
up to 15 degrees. `zootune` is a run with the defaults; `small network` two convolutions
from random weights, 40 epochs in plain Keras.

Command: python -m benchmarks.generator --work FOLDER [--seeds=3]
Cost:    a minute of the generator and two of the classifiers a seed on two cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers
from PIL import Image

import zootune
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageArray
from pipelines.methods.generator.generate import generate
from pipelines.methods.generator.settings import GeneratorSettings

_DATA, _SIZE_PX = "builtin:mnist_5k", 28
_TRAIN, _VALIDATION, _TEST = 16, 4, 500
_COPIES, _SHIFT_PX, _TURN_DEGREES = 5, 2.0, 15.0


def main() -> None:
    """Prints the test accuracy of each classifier on each training set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    reached: dict[tuple[str, str], list[float]] = defaultdict(list)
    for seed in range(arguments.seeds):
        for name, folder in _sets(arguments.work / str(seed), seed).items():
            run = zootune.fine_tune(f"dir:{folder}", workdir=f"{folder}-run", seed=seed)
            reached[name, "zootune"].append(run.report["test"]["accuracy"])
            reached[name, "small network"].append(_small_network(folder, seed))
            print(seed, name, {k[1]: v[-1] for k, v in reached.items() if k[0] == name})
    print("| training images | zootune | small network |\n| --- | ---: | ---: |")
    for name in dict.fromkeys(name for name, _ in reached):
        cells = [
            f"{np.mean(values):.3f} ± {np.std(values):.3f}"
            for values in (reached[name, by] for by in ("zootune", "small network"))
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def _sets(work: Path, seed: int) -> dict[str, Path]:
    """Folders with the same validation and test, and other training images."""
    shutil.rmtree(work, ignore_errors=True)
    whole = load(DatasetRef.parse(_DATA))
    inputs, labels = whole.train.inputs, whole.train.labels
    if not isinstance(inputs, ImageArray):
        raise TypeError(f"{_DATA} is not an array of images.")
    pixels, rng = inputs.pixels[..., 0], np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    few = _TRAIN + _VALIDATION
    own = [order[labels[order] == c][:few] for c in range(10)]
    test = order[~np.isin(order, np.concatenate(own))][:_TEST]
    plain = work / "plain"
    for c, rows in enumerate(own):
        for i in rows[:_TRAIN]:
            _write(pixels[i], plain / "train" / str(c) / f"{i}.png")
        for i in rows[_TRAIN:]:
            _write(pixels[i], plain / "validation" / str(c) / f"{i}.png")
    for i in test:
        _write(pixels[i], plain / "test" / str(labels[i]) / f"{i}.png")
    sets = {"plain": plain, "and drawn": work / "drawn", "and moved": work / "moved"}
    for folder in (sets["and drawn"], sets["and moved"]):
        shutil.copytree(plain, folder)
    learned_from = work / "learn"
    shutil.copytree(plain / "train", learned_from)
    drawn = generate(
        f"dir:{learned_from}?validation=0.01&test=0.01",
        work / "generator",
        size_px=_SIZE_PX,
        settings=GeneratorSettings(seed=seed),
    )
    for path in (drawn.folder / "images").rglob("*.png"):
        target = sets["and drawn"] / "train" / path.parent.name / f"d{path.name}"
        shutil.copy(path, target)
    for path in (plain / "train").rglob("*.png"):
        with Image.open(path) as image:
            for copy in range(_COPIES):
                moved = image.rotate(
                    rng.uniform(-_TURN_DEGREES, _TURN_DEGREES),
                    Image.Resampling.BILINEAR,
                    translate=tuple(rng.uniform(-_SHIFT_PX, _SHIFT_PX, 2)),
                )
                name = f"{path.stem}-{copy}.png"
                moved.save(sets["and moved"] / "train" / path.parent.name / name)
    return sets


def _write(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _small_network(folder: Path, seed: int) -> float:
    """The test accuracy of a network from random weights."""
    keras.utils.set_random_seed(seed)
    (x, y), (x_test, y_test) = (_arrays(folder / split) for split in ("train", "test"))
    network = keras.Sequential(
        [
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    network.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(x, y, epochs=40, batch_size=32, verbose=0)
    return float(network.evaluate(x_test, y_test, verbose=0)[1])


def _arrays(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    paths = sorted(folder.rglob("*.png"))
    pixels = [np.asarray(Image.open(path)) for path in paths]
    labels = np.array([int(path.parent.name) for path in paths])
    return np.stack(pixels)[..., np.newaxis], labels


if __name__ == "__main__":
    main()
