"""A phase made concrete: the part of the model that trains, and what that reads."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipelines.config import AugmentConfig
from pipelines.data.batches import batches, training_batches
from pipelines.data.order import shuffled_epochs
from pipelines.data.pixel_cache import PixelCache
from pipelines.data.splits import Split, Splits
from pipelines.planning.features import Activations, extract, size_bytes
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.stages.head import TransferModel
from pipelines.training import freezing
from pipelines.training.feed import Feed, chosen_augmentation, keeps_labels_mirrored

# Activations of frozen blocks are held in memory up to this size.
_CACHE_BYTES = 2**30


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """What training needs to know besides the plan.

    `deadline_seconds` is on the clock of `time.monotonic`. `head_features` are what the
    head reads of train and validation, where that is known already. `imbalance` is none
    of `auto`. Without a `cache` images are decoded whenever they are read.
    """

    input_size_px: int | None
    seed: int
    deadline_seconds: float
    history_path: Path
    tensorboard_dir: Path
    head_features: tuple[np.ndarray, np.ndarray] | None = None
    imbalance: str = "none"
    augment: AugmentConfig = dataclasses.field(
        default_factory=lambda: AugmentConfig(strength="none")
    )
    cache: PixelCache | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A phase made concrete: the part of the model that trains, and what it reads.

    If that is activations that had to be computed, it was at `images_per_second`.
    `feed` tells how batches were prepared.
    """

    model: keras.Model
    train: tf.data.Dataset
    validation: tf.data.Dataset
    feed: Feed
    images_per_second: float = 0.0


def make_task(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
) -> Task:
    """What trains, on activations of what is frozen below it where they fit in memory.

    Nothing in a phase can change them, so they are computed once, not once per epoch.
    """
    blocks = model.backbone.blocks
    # A plan of nothing but the head reads images once.
    reads_again = len(plan.phases) > 1 or not phase.trains_head_only
    cache = settings.cache if reads_again else None
    read = functools.partial(
        batches,
        input_size_px=settings.input_size_px,
        batch_size=plan.batch_size,
        cache=cache,
    )
    feed = Feed(splits, settings.imbalance)
    if phase.trains_head_only:
        lower = keras.Model(model.model.input, model.head_input)
        upper = keras.Model(model.head_input, model.model.output)
        if settings.head_features is not None:
            train, validation = ((one,) for one in settings.head_features)
            return _task_on(upper, (train, validation), feed, plan, settings)
        return _cached_task(lower, upper, feed, plan, settings, read)
    depth = freezing.frozen_depth(blocks, phase.trainable_blocks)
    if depth and settings.augment.strength in ("auto", "none"):
        lower, upper = freezing.split_at(model.model, blocks, depth, taps=model.taps)
        examples = len(splits.train) + len(splits.validation)
        if size_bytes(lower, examples) <= _CACHE_BYTES:
            return _cached_task(lower, upper, feed, plan, settings, read)
    augmentation = chosen_augmentation(
        settings.augment,
        splits.train,
        from_random=phase == plan.phases[0],
        mirrors=lambda: keeps_labels_mirrored(
            model.model, read(splits.validation), splits.validation.labels
        ),
    )
    feed = dataclasses.replace(feed, augmentation=augmentation)
    return Task(
        model=feed.model(
            freezing.behind_frozen(model.model, blocks, depth, taps=model.taps)
        ),
        train=feed.training(
            training_batches(
                splits.train,
                input_size_px=settings.input_size_px,
                batch_size=plan.batch_size,
                seed=settings.seed,
                cache=cache,
                balanced=feed.draws_evenly,
                augmentation=augmentation,
                classes=feed.classes,
            )
        ),
        validation=feed.validation(read(splits.validation)),
        feed=feed,
    )


def _cached_task(
    lower: keras.Model,
    upper: keras.Model,
    feed: Feed,
    plan: TransferPlan,
    settings: FitSettings,
    read: Callable[[Split], tf.data.Dataset],
) -> Task:
    started, splits = time.monotonic(), feed.splits
    train, validation = (
        extract(lower, read(split)) for split in (splits.train, splits.validation)
    )
    seconds = time.monotonic() - started
    rate = (len(splits.train) + len(splits.validation)) / seconds
    task = _task_on(upper, (train, validation), feed, plan, settings)
    return dataclasses.replace(task, images_per_second=rate)


def _task_on(
    upper: keras.Model,
    activations: tuple[Activations, Activations],
    feed: Feed,
    plan: TransferPlan,
    settings: FitSettings,
) -> Task:
    """The upper part of a model, trained on what the lower one gives."""
    (train, validation), splits = activations, feed.splits
    held = tf.nest.map_structure(tf.constant, (_input(train), splits.train.labels))

    def taken(rows: tf.Tensor):
        return tf.nest.map_structure(lambda t: tf.gather(t, rows), held)

    return Task(
        model=feed.model(upper),
        train=feed.training(
            shuffled_epochs(
                len(train[0]),
                lambda order: order.batch(plan.batch_size).map(taken),
                seed=settings.seed,
                balance=splits.train.labels if feed.draws_evenly else None,
            )
        ),
        validation=feed.validation(
            tf.data.Dataset.from_tensor_slices(
                (_input(validation), splits.validation.labels)
            ).batch(plan.batch_size)
        ),
        feed=feed,
    )


def _input(activations: Activations):
    """What Keras takes for a model of one input, or of several."""
    return activations[0] if len(activations) == 1 else activations
