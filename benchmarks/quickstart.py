"""The quickstart over several seeds, beside the recipe of the Keras guide.

Both fine-tune the last half of EfficientNet-Lite0 on the same splits of 5,000 digits at
96 px, for the same epochs with the same optimizer. Ours is `configs/quickstart.py`. The
guide's freezes layers, calls `base(x, training=False)`, trains a head, and fine-tunes;
in Keras 3 its BatchNormalization drifts.

Command: python benchmarks/quickstart.py --seeds=3
Cost:    about 5 minutes per seed on two CPU cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from typing import Any

import keras
import numpy as np

import zoo
from configs.quickstart import get_config
from pipelines.data.input.batches import batches, steps_per_epoch, training_batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Splits
from pipelines.features.extract import extract
from pipelines.run import run

# Of the guide's head, and of our fine-tuning.
_DROPOUT, _RATE = 0.2, 3e-4


@dataclasses.dataclass(frozen=True)
class Result:
    """One run: test accuracy, seconds of training, and how far statistics moved."""

    accuracy: float
    seconds: float
    statistics_change: float


def ours(seed: int) -> Result:
    """The quickstart as it is."""
    with tempfile.TemporaryDirectory() as workdir:
        config = get_config()
        config.seed, config.workdir = seed, workdir
        report = run(config).report
    moved = [
        one["statistics_change"] for rows in report["receipt"].values() for one in rows
    ]
    return Result(report["test"]["accuracy"], report["seconds"]["finetune"], max(moved))


def guide(seed: int, splits: Splits) -> Result:
    """https://keras.io/guides/transfer_learning with our rates and the last half."""
    config = get_config()
    keras.utils.set_random_seed(seed)
    base = zoo.build(config.backbone, input_size_px=config.input_size_px)
    base.model.trainable = False
    pixels = keras.Input(base.model.input_shape[1:])
    x = base.model(pixels, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(_DROPOUT)(x)
    model = keras.Model(pixels, keras.layers.Dense(len(splits.info.class_names))(x))
    started = time.monotonic()
    _fit(model, splits, config, epochs=config.head.epochs, rate=1e-3, seed=seed)
    before = _statistics(base.model)
    # Last half of the blocks, as the guide unfreezes: by setting `trainable`.
    base.model.trainable = True
    for block in base.blocks[: len(base.blocks) // 2]:
        for layer in block.layers:
            layer.trainable = False
    _fit(model, splits, config, epochs=config.finetune.epochs, rate=_RATE, seed=seed)
    seconds = time.monotonic() - started
    moved = max(
        np.abs(new - old).max() for new, old in zip(_statistics(base.model), before)
    )
    (logits,) = extract(
        model,
        batches(
            splits.test,
            input_size_px=config.input_size_px,
            batch_size=config.batch_size,
        ),
    )
    accuracy = float((logits.argmax(axis=1) == splits.test.labels).mean())
    return Result(accuracy, seconds, float(moved))


def _fit(model, splits, config, *, epochs: int, rate: float, seed: int) -> None:
    options: dict[str, Any] = {
        "input_size_px": config.input_size_px,
        "batch_size": config.batch_size,
    }
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(
        training_batches(splits.train, seed=seed, **options),
        steps_per_epoch=steps_per_epoch(splits.train, config.batch_size),
        epochs=epochs,
        shuffle=False,
        validation_data=batches(splits.validation, **options),
        verbose=0,
    )


def _statistics(model: keras.Model) -> list[np.ndarray]:
    return [
        keras.ops.convert_to_numpy(value).copy()
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for value in (layer.moving_mean, layer.moving_variance)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    splits = load(DatasetRef.parse(get_config().data))
    print("| seed | recipe | test accuracy | seconds | statistics moved by |")
    print("| --- | --- | --- | --- | --- |")
    # Interleaved, so that whatever else the machine does falls on both.
    for seed in seeds:
        for name, result in (("ours", ours(seed)), ("guide", guide(seed, splits))):
            print(
                f"| {seed} | {name} | {result.accuracy:.4f} | {result.seconds:.0f} |"
                f" {result.statistics_change:.3g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
