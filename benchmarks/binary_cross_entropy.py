"""Several labels as a script in Keras trains them, with binary cross-entropy.

The settings are those of the Keras guide on transfer learning, with a sigmoid for each
label: a frozen base, average, dropout 0.2, a dense layer, Adam at 1e-3 for 20 epochs;
then all layers, Adam at 1e-5, for 10 epochs; flips and rotations by 0.1, batches of 64.
It runs on the splits of `benchmarks.problems`, and prints mean average precision on
test and CPU seconds.

Command: python -m benchmarks.binary_cross_entropy --examples=2000 --size=96
Cost:    about 10 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import os
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


def train(splits: Splits, size: int, seed: int, epochs: tuple[int, int]) -> None:
    """Trains the head and then all, for these epochs, and prints a line after each."""
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
    started = time.process_time()
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
        print(f"keras {name:<5} mAP {reached:.4f}  CPU s {seconds:.0f}", flush=True)


def _first(inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    return inputs


def main() -> None:
    """Trains on two or three digits on a canvas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, nargs=2, default=(20, 10))
    arguments = parser.parse_args()
    x, shown = canvases(arguments.examples, 2, 3, arguments.seed)
    y = np.zeros((len(x), 10), np.int64)
    for row, names in zip(y, shown):
        row[names] = 1
    with tempfile.TemporaryDirectory() as folder:
        splits = splits_of(x, y, Path(folder))
        train(splits, arguments.size, arguments.seed, tuple(arguments.epochs))


if __name__ == "__main__":
    main()
