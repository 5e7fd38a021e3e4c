"""The speed of training, beside the same work with nothing around it.

`feed`: full fine-tuning from JPEG files, beside the bare compiled train step on batches
that are in memory. Both are steps of the same model in the same process: after every
epoch of `fit`, with everything that a run has in it, as many bare steps follow. The
epoch that builds the graph does not count. `decoding` reads every file in every epoch,
`kept` keeps decoded pixels, as runs do by default. Images per second are those of
training steps, from the second one of an epoch until validation begins.

`precision`: a step of fine-tuning all blocks as a run with `precision=auto` takes it,
beside two by plain Keras, in float32 as it compiles by default. `guide` follows its
guide to transfer learning, `base(x, training=False)`, which trains BatchNorm in Keras
3; in `held` BatchNorm is frozen layer by layer, which is the same work as ours. They
take turns, step by step. What `auto` compares is compared however short training is.

Command: python -m benchmarks.training feed --backbone=efficientnet_lite0 --size=160
         python -m benchmarks.training precision --size=96 --batch=16
Cost:    about 3 minutes on two CPU cores; precision 2 to 4 minutes for each backbone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import zoo
from benchmarks.photos import write_photos
from benchmarks.spread import ratios, spread
from pipelines.config import AugmentConfig, RunConfig, checked
from pipelines.data.input.batches import training_batches
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.reference import DatasetRef
from pipelines.planning import compute
from pipelines.runs.prepare import Prepared, prepare
from pipelines.runtime.clock import Clock
from pipelines.runtime.precision import precision
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.training import freezing
from pipelines.training.phases.workspace import Workspace
from zoo.graph.folding import folded

_BACKBONES = (
    "resnet50",
    "vgg16",
    "mobilenet_v2",
    "efficientnet_lite0",
    "efficientnet_b0",
    "densenet121",
)


class _BareSteps(keras.callbacks.Callback):
    """Images per second of the steps of each epoch, and of bare ones that follow."""

    def __init__(self, in_memory: tf.data.Dataset, *, batch_size: int) -> None:
        super().__init__()
        self.fit: list[float] = []
        self.bare: list[float] = []
        self._batches = iter(in_memory)
        self._batch_size = batch_size
        self._first = self._last = 0.0
        self._steps = 0

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        self._steps = 0

    def on_train_batch_begin(self, batch: int, logs=None) -> None:
        self._steps += 1
        if self._steps == 2:
            self._first = time.perf_counter()

    def on_test_begin(self, logs=None) -> None:
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        timed = self._steps - 1
        seconds = self._last - self._first
        self.model.train_function(self._batches)
        started = time.perf_counter()
        for _ in range(timed):
            logs = self.model.train_function(self._batches)
        float(next(iter(tf.nest.flatten(logs))))  # until all of it is computed
        bare = time.perf_counter() - started
        if epoch:
            self.fit.append(timed * self._batch_size / seconds)
            self.bare.append(timed * self._batch_size / bare)


def feed(arguments: argparse.Namespace) -> None:
    """Prints a row for each way to read."""
    print("| images per second | fine-tuning | bare step | ratio |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder), arguments.photos)
        for name, cache_mib in (("decoding", 0), ("kept", 1024)):
            steps = _fine_tuned(arguments, Path(folder), cache_mib=cache_mib)
            columns = f"{spread(steps.fit, digits=1)} | {spread(steps.bare, digits=1)}"
            print(f"| {name} | {columns} | {spread(ratios(steps.fit, steps.bare))} |")


def _fine_tuned(
    arguments: argparse.Namespace, photos: Path, *, cache_mib: int
) -> _BareSteps:
    config = RunConfig(
        data=f"dir:{photos}",
        backbone=arguments.backbone,
        weights="none",
        strategy="scratch",
        precision="float32",
        input_size_px=arguments.size,
        batch_size=arguments.batch,
        augment=AugmentConfig(strength=arguments.augment),
    )
    config.finetune.epochs = config.finetune.patience_epochs = arguments.epochs + 1
    prepared = _prepared(config)
    splits = prepared.splits
    classes = len(splits.info.class_names)
    model = add_head(prepared.base, classes=classes, plan=prepared.plan.head)
    size = config.batch_size
    in_memory = training_batches(
        splits.train, input_size_px=config.input_size_px, batch_size=size, seed=0
    )
    watch = _BareSteps(in_memory.take(2).cache().repeat(), batch_size=size)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(
            history_path=Path(folder) / "history.jsonl",
            tensorboard_dir=Path(folder) / "tensorboard",
            pixel_cache=PixelCache(cache_mib * 2**20),
            callbacks=lambda phase: (watch,),
        )
        fine_tune(model, splits, prepared.plan, workspace)
    return watch


def _prepared(config: RunConfig) -> Prepared:
    config = checked(config, writes=False)
    return prepare(config, DatasetRef.parse(config.data), Clock())


def compare_precisions(arguments: argparse.Namespace) -> None:
    """Prints a row for each backbone."""
    compute.REPAID_BY = 0.0
    print("| images per second | guide | held | auto | chosen | / guide | / held |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.backbones:
        keras.utils.clear_session()
        config = RunConfig(
            data="builtin:digits?limit=200",
            backbone=name,
            weights="none",
            strategy="full",
            effort="seconds",
            input_size_px=arguments.size,
            batch_size=arguments.batch,
        )
        chosen = _prepared(config).compute
        steps = {
            "guide": _step(arguments, _guide(arguments, name), xla="auto"),
            "held": _step(arguments, _held(arguments, name), xla="auto"),
            "auto": _step(
                arguments, _ours(arguments, name, chosen.precision), xla=chosen.xla
            ),
        }
        rates: dict[str, list[float]] = {variant: [] for variant in steps}
        for _ in range(arguments.repetitions):
            for variant, step in steps.items():
                rates[variant].append(arguments.batch / step())
        columns = " | ".join(spread(rate, digits=1) for rate in rates.values())
        auto = [
            spread(ratios(rates["auto"], rates[variant]))
            for variant in ("guide", "held")
        ]
        choice = compute.StepTrial(chosen.precision, chosen.xla, 0.0).name
        print(f"| {name} | {columns} | {choice} | {' | '.join(auto)} |", flush=True)


def _guide(arguments: argparse.Namespace, name: str) -> keras.Model:
    """As https://keras.io/guides/transfer_learning fine-tunes."""
    base = zoo.build(name, weights=None, input_size_px=arguments.size).model
    inputs = keras.Input(base.input.shape[1:], dtype=base.input.dtype)
    return _classifying(inputs, base(inputs, training=False))


def _held(arguments: argparse.Namespace, name: str) -> keras.Model:
    base = zoo.build(name, weights=None, input_size_px=arguments.size)
    names = [block.name for block in base.blocks]
    freezing.set_trainable(base.blocks, names, batchnorm="frozen")
    return _classifying(base.model.input, base.model.output)


def _ours(arguments: argparse.Namespace, name: str, policy: str) -> keras.Model:
    with precision(policy):
        return folded(_held(arguments, name))


def _classifying(inputs: keras.KerasTensor, found: keras.KerasTensor) -> keras.Model:
    pooled = keras.layers.GlobalAveragePooling2D()(found)
    return keras.Model(inputs, keras.layers.Dense(10, dtype="float32")(pooled))


def _step(
    arguments: argparse.Namespace, model: keras.Model, *, xla: bool | str
) -> Callable[[], float]:
    """A function that trains on one batch and returns its seconds; the graph exists."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-5), loss, jit_compile=xla)
    random = np.random.default_rng(0)
    shape = (arguments.batch, arguments.size, arguments.size, 3)
    pixels = random.integers(0, 256, shape).astype("uint8")
    labels = random.integers(0, 10, arguments.batch)

    def step() -> float:
        started = time.perf_counter()
        model.train_on_batch(pixels, labels)
        return time.perf_counter() - started

    for _ in range(2):
        step()
    return step


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("feed")
    one.add_argument("--backbone", default="efficientnet_lite0")
    one.add_argument("--size", type=int, default=160)
    one.add_argument("--batch", type=int, default=32)
    one.add_argument("--photos", type=int, default=400)
    one.add_argument("--epochs", type=int, default=5, help="that count")
    one.add_argument(
        "--augment", default="auto", help="strength; light for random crops"
    )
    one.set_defaults(measure=feed)
    other = commands.add_parser("precision")
    other.add_argument("--backbones", nargs="+", default=_BACKBONES)
    other.add_argument("--size", type=int, default=96)
    other.add_argument("--batch", type=int, default=16)
    other.add_argument("--repetitions", type=int, default=7)
    other.set_defaults(measure=compare_precisions)
    arguments = parser.parse_args(given)
    arguments.measure(arguments)


if __name__ == "__main__":
    main()
