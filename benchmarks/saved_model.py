"""The step time of a SavedModel backbone, beside the same network as a Keras model.

EfficientNet-Lite0 with its ImageNet weights, all of it trained with Adam, once as it is
built here and once saved as a TF Hub module and wrapped. Their steps alternate, so that
whatever else the machine does falls on both.

`training`: both in training mode. `inference`: both in inference mode, scales and
offsets of BatchNorm trained. `frozen`: as the pipeline freezes BatchNorm, scales and
offsets with it.

Command: python benchmarks/saved_model.py --steps=40
Cost:    about 3 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import zoo
from pipelines.training.freezing import set_trainable

_CLASSES = 10
_WARMUP_STEPS = 4


def save_module(backbone: zoo.Backbone, folder: Path) -> None:
    """Saves a backbone as TF Hub does: [0, 1] to a feature map, in both modes."""
    model = backbone.model
    spec = tf.TensorSpec([None, *model.input_shape[1:]])
    call = tf.function(lambda x, training=False: model(x * 255, training=training))
    for training in (True, False):
        call.get_concrete_function(spec, training=training)
    module = tf.train.Checkpoint(model=model)
    module.__call__ = call
    module.variables = [v.value for v in model.variables]
    module.trainable_variables = [v.value for v in model.trainable_variables]
    tf.saved_model.save(module, folder)


class InInference(keras.layers.Layer):
    """Runs a model in inference mode, and trains its weights all the same."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def call(self, inputs):
        return self.model(inputs, training=False)


def step_of(backbone: zoo.Backbone, *, mode: str) -> Callable[..., float]:
    """A function that takes a batch, trains on it once, and gives its seconds."""
    names = [block.name for block in backbone.blocks]
    is_module = backbone.spec.carries_weights
    frozen = mode == "frozen" or (mode == "inference" and is_module)
    set_trainable(backbone.blocks, names, batchnorm="frozen" if frozen else "trained")
    pixels = keras.Input(backbone.model.input_shape[1:])
    if mode == "inference" and is_module:
        for weight in backbone.model.get_layer("module").scales:
            weight.trainable = True
    wrap = mode == "inference" and not is_module
    base = InInference(backbone.model) if wrap else backbone.model
    pooled = keras.layers.GlobalAveragePooling2D()(base(pixels))
    model = keras.Model(pixels, keras.layers.Dense(_CLASSES)(pooled))
    model.compile(
        keras.optimizers.Adam(1e-5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )

    def step(pixels: np.ndarray, labels: np.ndarray) -> float:
        started = time.perf_counter()
        model.train_on_batch(pixels, labels)
        return time.perf_counter() - started

    return step


def compare(native: Callable, wrapped: Callable, batch: tuple, steps: int) -> str:
    """A row of medians, and of the quartiles of the ratio of neighbouring steps."""
    for _ in range(_WARMUP_STEPS):
        native(*batch), wrapped(*batch)
    pairs = []
    for index in range(steps):
        # Turn about, because the second one finds its caches cold.
        if index % 2:
            second, first = wrapped(*batch), native(*batch)
        else:
            first, second = native(*batch), wrapped(*batch)
        pairs.append((first, second))
    low, middle, high = statistics.quantiles([w / n for n, w in pairs], n=4)
    times = [statistics.median(side) * 1000 for side in zip(*pairs)]
    spread = f"{low:.3f} to {high:.3f}"
    return f"{times[0]:.0f} ms | {times[1]:.0f} ms | {middle:.3f} | {spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    shape = (arguments.batch, arguments.size, arguments.size, 3)
    batch = (
        random.integers(0, 256, shape).astype("uint8"),
        random.integers(0, _CLASSES, arguments.batch),
    )
    print("| mode | native | wrapped | ratio | its quartiles |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        size = {"input_size_px": arguments.size}
        save_module(zoo.build("efficientnet_lite0", **size), Path(folder))
        for mode in ("training", "inference", "frozen"):
            native = step_of(zoo.build("efficientnet_lite0", **size), mode=mode)
            wrapped = step_of(zoo.build("tfhub", handle=folder, **size), mode=mode)
            row = compare(native, wrapped, batch, arguments.steps)
            print(f"| {mode} | {row} |", flush=True)


if __name__ == "__main__":
    main()
