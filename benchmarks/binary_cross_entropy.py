"""Several labels as a script in Keras trains them, with binary cross-entropy.

The settings are those of the Keras guide on transfer learning, with a sigmoid for each
label: a frozen base, average, dropout 0.2, a dense layer, Adam at 1e-3 for 20 epochs;
then all layers, Adam at 1e-5, for 10 epochs; flips and rotations by 0.1, batches of 64.
It runs on the splits of `benchmarks.problems`, and prints mean average precision on
test and CPU seconds.

With `--beside` the script and `zoo train` with default settings are processes of their
own that take turns, one of each a seed, from the start to the end: of the script that
is a model in memory that has answered test, and of ours the published and proved
artifact with its report.

Command: python -m benchmarks.binary_cross_entropy --examples=2000 --size=96 [--beside]
Cost:    about 10 minutes on two CPU cores for a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import average_precision_score

import zoo
from benchmarks.problem_data import canvases
from benchmarks.small_runs import timed
from benchmarks.spread import ratios, spread
from pipelines.data.input.batches import batches
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Splits

_BATCH = 64


def splits_of(x: np.ndarray, y: np.ndarray, folder: Path) -> Splits:
    """The splits that `benchmarks.problems` has of the same arrays."""
    np.savez(folder / "labels.npz", x=x, y=y)
    ref = DatasetRef.parse(f"npz:{folder / 'labels.npz'}?test=0.3")
    return check_and_split(read(ref, "multi_label"), ref)


def train(splits: Splits, size: int, seed: int, epochs: tuple[int, int]) -> str:
    """Trains the head and then all, for these epochs, and prints a line after each.

    Returns the last one.
    """
    keras.utils.set_random_seed(seed)
    data = {
        name: batches(getattr(splits, name), input_size_px=size, batch_size=_BATCH)
        for name in ("train", "validation", "test")
    }
    data["train"] = data["train"].cache().shuffle(len(splits.train)).prefetch(2)
    base = zoo.build("efficientnet_lite0", weights="default", input_size_px=size).model
    augment = keras.Sequential(
        [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)]
    )
    base.trainable = False
    inputs = keras.Input((size, size, 3))
    outputs = base(augment(inputs), training=False)
    outputs = keras.layers.GlobalAveragePooling2D()(outputs)
    outputs = keras.layers.Dropout(0.2)(outputs)
    outputs = keras.layers.Dense(splits.train.labels.shape[1])(outputs)
    model = keras.Model(inputs, outputs)
    started, line = time.process_time(), ""
    for name, rate, count in zip(("head", "all"), (1e-3, 1e-5), epochs):
        if not count:
            continue
        base.trainable = name == "all"
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss)
        model.fit(
            data["train"], epochs=count, validation_data=data["validation"], verbose=0
        )
        seconds = time.process_time() - started
        scores = model.predict(data["test"].map(_first), verbose=0)
        reached = average_precision_score(splits.test.labels, scores)
        line = f"keras {name:<5} mAP {reached:.4f}  CPU s {seconds:.0f}"
        print(line, flush=True)
    return line


def _first(inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return inputs


def arrays_of(examples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Canvases with two or three digits, and which these are, `[n, 10]`."""
    x, shown = canvases(examples, 2, 3, seed)
    y = np.zeros((len(x), 10), np.int64)
    for row, names in zip(y, shown):
        row[names] = 1
    return x, y


def beside(arguments: argparse.Namespace) -> None:
    """Times whole processes of both, in turns, and prints the ratio of each seed."""
    used: dict[str, list[tuple[float, float]]] = {"ours": [], "script": []}
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        order = list(used)[:: 1 if seed % 2 == 0 else -1]
        for name in order:
            with tempfile.TemporaryDirectory() as folder:
                run = _ours if name == "ours" else _script
                seconds, reached = run(arguments, seed, Path(folder))
            used[name].append(seconds)
            wall, processor = seconds
            print(
                f"seed {seed}, {name}: {wall:.0f} s, {processor:.0f} CPU s, {reached}",
                flush=True,
            )
    for i, measure in enumerate(("seconds", "CPU seconds")):
        ours, script = ([each[i] for each in runs] for runs in used.values())
        print(f"ours / script, {measure}: {spread(ratios(ours, script))}")


def _ours(
    arguments: argparse.Namespace, seed: int, folder: Path
) -> tuple[tuple[float, float], str]:
    x, y = arrays_of(arguments.examples, seed)
    np.savez(folder / "labels.npz", x=x, y=y)
    seconds = timed(
        [
            *(sys.executable, "-m", "pipelines.cli", "train"),
            f"--config.data=npz:{folder / 'labels.npz'}?test=0.3",
            "--config.problem=multi_label",
            "--config.backbone=efficientnet_lite0",
            f"--config.input_size_px={arguments.size}",
            f"--config.seed={seed}",
            f"--config.workdir={folder / 'run'}",
        ]
    )
    report = json.loads((folder / "run" / "report.json").read_text())
    return seconds, f"mAP {report['test']['mean_average_precision']:.4f}"


def _script(
    arguments: argparse.Namespace, seed: int, folder: Path
) -> tuple[tuple[float, float], str]:
    head, whole = arguments.epochs
    into = folder / "reached.txt"
    seconds = timed(
        [
            *(sys.executable, "-m", "benchmarks.binary_cross_entropy"),
            *(f"--examples={arguments.examples}", f"--size={arguments.size}"),
            *(f"--seed={seed}", "--epochs", str(head), str(whole), f"--into={into}"),
        ]
    )
    return seconds, into.read_text()


def main() -> None:
    """Trains on two or three digits on a canvas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, nargs=2, default=(20, 10))
    parser.add_argument("--beside", action="store_true", help="time both, in turns")
    parser.add_argument("--seeds", type=int, default=1, help="of --beside")
    parser.add_argument("--into", type=Path, help="a file for the last line")
    arguments = parser.parse_args()
    if arguments.beside:
        beside(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        splits = splits_of(*arrays_of(arguments.examples, arguments.seed), Path(folder))
        line = train(splits, arguments.size, arguments.seed, tuple(arguments.epochs))
    if arguments.into:
        arguments.into.write_text(line)


if __name__ == "__main__":
    main()
