"""A phase made concrete: the part of the model that trains, and what that reads."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from pipelines.config import AugmentConfig
from pipelines.data.batches import batches, training_batches
from pipelines.data.order import shuffled_epochs
from pipelines.data.pixel_cache import PixelCache
from pipelines.data.splits import Split, Splits
from pipelines.planning.features import Activations, extract, size_bytes
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.planning.probe import linear_probe
from pipelines.stages.head import TransferModel
from pipelines.training import freezing
from pipelines.training.feed import Feed, chosen_augmentation, keeps_labels_mirrored

# Activations of frozen blocks are held in memory up to this size.
_CACHE_BYTES = 2**30


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """What training needs to know besides the plan.

    `deadline_seconds` is on the clock of `time.monotonic`. `imbalance` is none of
    `auto`. Without a `cache` images are decoded whenever they are read.
    """

    input_size_px: int | None
    seed: int
    deadline_seconds: float
    history_path: Path
    tensorboard_dir: Path
    imbalance: str = "none"
    augment: AugmentConfig = dataclasses.field(
        default_factory=lambda: AugmentConfig(strength="none")
    )
    cache: PixelCache | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A phase made concrete: the part of the model that trains, and what it reads.

    If that is not raw input, `activations` are what was computed from that of train and
    validation, at `images_per_second`. `feed` tells how batches were prepared.
    """

    model: keras.Model
    train: tf.data.Dataset
    validation: tf.data.Dataset
    feed: Feed
    activations: tuple[Activations, Activations] = ((), ())
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
        return _cached_task(lower, upper, feed, plan, settings, read)
    depth = freezing.frozen_depth(blocks, phase.trainable_blocks)
    if depth and settings.augment.strength in ("auto", "none"):
        lower, upper = freezing.split_at(model.model, blocks, depth)
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
        model=feed.model(freezing.behind_frozen(model.model, blocks, depth)),
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
    held = tf.nest.map_structure(tf.constant, (_input(train), splits.train.labels))
    return Task(
        model=feed.model(upper),
        train=feed.training(
            shuffled_epochs(
                len(splits.train),
                lambda order: order.batch(plan.batch_size).map(
                    lambda rows: tf.nest.map_structure(
                        lambda t: tf.gather(t, rows), held
                    )
                ),
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
        activations=(train, validation),
        images_per_second=(len(splits.train) + len(splits.validation)) / seconds,
    )


def start_from_probe(model: TransferModel, task: Task, splits: Splits) -> None:
    """Puts the best linear classifier on the features of a head's task in its place.

    Where all classes are to count the same, without what it learned of their shares.
    """
    (train,), (validation,) = task.activations
    solved = linear_probe(
        train, splits.train.labels, validation, splits.validation.labels
    )
    bias = solved.bias - task.feed.log_prior if task.feed.balances else solved.bias
    model.logits_layer.set_weights([solved.kernel, bias])


def _input(activations: Activations):
    """What Keras takes for a model of one input, or of several."""
    return activations[0] if len(activations) == 1 else activations
