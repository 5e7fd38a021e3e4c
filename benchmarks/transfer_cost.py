"""The cost of measuring, a head and partial fine-tuning, beside passes and Keras.

`probe`: the stage that reads every block and compares heads in closed form, beside one
pass for the average of the last block, both on the images as they are; also without the
part of it that compares statistics of BatchNorm with the source's (`similarity`), which
no probe needs. `head`: that
stage on all views of the images, and 20 epochs of the head on them, beside one pass for
each view; images are read once, as nothing in the frozen blocks changes. A pass is one
of ours, and `keras pass` is `predict` of the same network on the same batches.
`partial`: examples per second of the last half of the blocks on activations that are
kept, with their computation and without, beside `fit` of Keras with the same blocks
trainable, on pixels that are in memory. All at batches of 32, interleaved. Passes,
`probe` and `head` include building their graphs; an epoch of `partial` does not.

Command: python -m benchmarks.transfer_cost builtin:mnist_5k --size=96 --examples=1000
Cost:    about 8 minutes on two CPU cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf
from keras import layers

import zoo
from pipelines.config import AugmentConfig, RunConfig
from pipelines.data.input.batches import batches, batches_of_all, training_batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split, Splits
from pipelines.features.divergence import block_divergences
from pipelines.features.extract import extract
from pipelines.features.views import count_views, other_views
from pipelines.planning.policy import decide
from pipelines.probing.rows import spread
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.finetune import fine_tune
from pipelines.stages.head import add_head
from pipelines.stages.measure import NORMALIZED, measure, training_facts
from pipelines.training.phases.result import PhaseResult
from pipelines.training.phases.workspace import Workspace
from zoo.builder import Backbone

_BATCH_SIZE = 32
_HEAD_EPOCHS = 20
_EPOCHS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", metavar="REF")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS))
    arguments = parser.parse_args()
    splits = load(DatasetRef.parse(arguments.data))
    splits = dataclasses.replace(
        splits,
        train=_some(splits.train, arguments.examples),
        validation=_some(splits.validation, arguments.examples // 10),
    )
    parts = [_PARTS[name] for name in arguments.parts]
    contenders = [name for part in parts for name in part.contenders]
    seconds: dict[str, list[float]] = {}
    # One repetition more, to warm up.
    for repetition in range(arguments.repetitions + 1):
        for contender in contenders:
            keras.utils.clear_session()
            base = freeze_base(
                zoo.build(arguments.backbone, input_size_px=arguments.size)
            )
            for name, value in contender(base, splits, arguments).items():
                if repetition > 0:
                    seconds.setdefault(name, []).append(value)
    if "probe" in arguments.parts:
        seconds["probe alone"] = [
            whole - part for whole, part in zip(seconds["probe"], seconds["similarity"])
        ]
    for name, values in seconds.items():
        print(f"{name}: {', '.join(f'{value:.2f}' for value in values)} s")
    for ours, theirs in (pair for part in parts for pair in part.ratios):
        ratios = [a / b for a, b in zip(seconds[ours], seconds[theirs])]
        print(
            f"{ours} / {theirs}: median {statistics.median(ratios):.2f},"
            f" {min(ratios):.2f} to {max(ratios):.2f}"
        )


def _some(split: Split, count: int) -> Split:
    return split.take(spread(split.labels, count=count, seed=0))


def _plain_pass(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    """Seconds for the average of the last block, of train and validation."""
    return {"pass": _pass_seconds(base, splits, arguments, views=1, run=extract)}


def _keras_pass(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    seconds = _pass_seconds(base, splits, arguments, views=1, run=_predict)
    return {"keras pass": seconds}


def _view_passes(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    """The same for every view of train that a head is fitted to."""
    views = count_views(_config(arguments), splits.train)
    seconds = _pass_seconds(base, splits, arguments, views=views, run=extract)
    return {"pass for each view": seconds}


def _keras_view_passes(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    views = count_views(_config(arguments), splits.train)
    seconds = _pass_seconds(base, splits, arguments, views=views, run=_predict)
    return {"keras pass for each view": seconds}


def _predict(model: keras.Model, read: tf.data.Dataset) -> None:
    model.predict(read, verbose=0)


def _pass_seconds(
    base: Backbone,
    splits: Splits,
    arguments: argparse.Namespace,
    *,
    views: int,
    run: Callable[[keras.Model, tf.data.Dataset], object],
) -> float:
    pooled = layers.GlobalAveragePooling2D()(base.model.output)
    model = keras.Model(base.model.input, pooled)
    size_px = arguments.size
    started = time.perf_counter()
    read = batches_of_all(
        [splits.train, splits.validation], input_size_px=size_px, batch_size=_BATCH_SIZE
    )
    if views > 1:
        others = other_views(
            splits.train, _config(arguments), views=views, input_size_px=size_px
        )
        read = read.concatenate(others)
    run(model, read)
    return time.perf_counter() - started


def _probe(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    config = _config(arguments)
    config.head.views = 1
    started = time.perf_counter()
    measure(base, splits, config, Clock())
    return {"probe": time.perf_counter() - started}


def _similarity(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    started = time.perf_counter()
    block_divergences(base, _some(splits.train, NORMALIZED))
    return {"similarity": time.perf_counter() - started}


def _head(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    started = time.perf_counter()
    phase = _last_phase(base, splits, arguments, strategy="head_only")
    assert len(phase.epochs) == _HEAD_EPOCHS
    return {"head": time.perf_counter() - started}


def _partial(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    """Seconds of an epoch with its validation; and those of all, for each epoch."""
    phase = _last_phase(base, splits, arguments, strategy="partial")
    return {
        "partial": statistics.median(epoch["seconds"] for epoch in phase.epochs[1:]),
        "partial with its pass": phase.seconds / len(phase.epochs),
    }


def _keras_partial(
    base: Backbone, splits: Splits, arguments: argparse.Namespace
) -> dict[str, float]:
    """Seconds of an epoch of `fit`, with its validation, as its guides have it."""
    for block in base.blocks[len(base.blocks) // 2 :]:
        for layer in block.layers:
            layer.trainable = not isinstance(layer, layers.BatchNormalization)
    pooled = layers.GlobalAveragePooling2D()(base.model.output)
    model = keras.Model(
        base.model.input, layers.Dense(len(splits.info.class_names))(pooled)
    )
    model.compile(
        keras.optimizers.Adam(1e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    pixels, labels = _in_memory(arguments, splits)
    validation = batches(
        splits.validation, input_size_px=arguments.size, batch_size=_BATCH_SIZE
    ).cache()
    times: list[float] = []
    for _ in range(_EPOCHS):
        started = time.perf_counter()
        model.fit(
            pixels,
            labels,
            batch_size=_BATCH_SIZE,
            validation_data=validation,
            verbose=0,
        )
        times.append(time.perf_counter() - started)
    return {"keras partial": statistics.median(times[1:])}


def _in_memory(arguments: argparse.Namespace, splits: Splits):
    stream = training_batches(
        splits.train,
        input_size_px=arguments.size,
        batch_size=len(splits.train),
        seed=0,
    )
    return next(iter(stream.take(1).as_numpy_iterator()))


def _last_phase(
    base: Backbone, splits: Splits, arguments: argparse.Namespace, *, strategy: str
) -> PhaseResult:
    """Measures, plans and trains as a run of the strategy does."""
    config = _config(arguments)
    config.strategy = strategy
    config.head.epochs = _HEAD_EPOCHS if strategy == "head_only" else 1
    config.finetune.patience_epochs = _HEAD_EPOCHS
    config.finetune.epochs = _EPOCHS
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config)
    plan = dataclasses.replace(plan, augment=AugmentConfig(strength="none"))
    model = add_head(
        base,
        classes=len(splits.info.class_names),
        plan=plan.head,
        probe=measured.probe(plan.head),
    )
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(
            history_path=Path(folder) / "history.jsonl",
            tensorboard_dir=Path(folder) / "tensorboard",
            head_features=measured.head_features(plan.head),
        )
        return fine_tune(model, splits, plan, workspace).phases[-1]


def _config(arguments: argparse.Namespace) -> RunConfig:
    return RunConfig(
        data=arguments.data,
        backbone=arguments.backbone,
        input_size_px=arguments.size,
        batch_size=_BATCH_SIZE,
    )


@dataclasses.dataclass(frozen=True)
class _Part:
    """Contenders that take turns, and the ratios of what seconds they give."""

    contenders: tuple[Callable[..., dict[str, float]], ...]
    ratios: tuple[tuple[str, str], ...]


_PARTS = {
    "probe": _Part(
        (_plain_pass, _keras_pass, _probe, _similarity),
        (
            ("probe", "pass"),
            ("probe alone", "pass"),
            ("probe alone", "keras pass"),
        ),
    ),
    "head": _Part(
        (_view_passes, _keras_view_passes, _head),
        (
            ("head", "pass for each view"),
            ("head", "keras pass for each view"),
        ),
    ),
    "partial": _Part(
        (_partial, _keras_partial),
        (
            ("keras partial", "partial"),
            ("keras partial", "partial with its pass"),
        ),
    ),
}


if __name__ == "__main__":
    main()
