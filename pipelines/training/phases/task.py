"""A phase made concrete: the part of the model that trains, and what that reads."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipelines.config import AugmentConfig
from pipelines.data.input.autotune import untuned
from pipelines.data.input.batches import batches, training_batches
from pipelines.data.input.order import Sample, WorkerShard, shuffled_epochs
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.splits import Splits
from pipelines.features.activation_cache import ActivationCache
from pipelines.features.extract import Activations
from pipelines.features.stored import keep, taker
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.training import freezing
from pipelines.training.class_weighting import (
    Feed,
    chosen_augmentation,
    keeps_labels_mirrored,
)
from pipelines.training.distributed.distribution import Distribution
from pipelines.training.progress import Progress
from pipelines.training.transfer_model import TransferModel
from zoo.graph.folding import folded

# Kinds of augmentation that leave the images of a phase with frozen blocks as they are.
_NO_CHANGES = ("auto", "none")

# How many blocks are frozen, and the blocks that a head reads and its grid.
Frozen = tuple[int, tuple[str, ...], int]


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """What training needs to know besides the plan.

    `deadline_seconds` is on the clock of `time.monotonic`. `head_features` are what the
    head reads of train and validation, where that is known already. `imbalance` is none
    of `auto`. Without a `cache` images are decoded
    whenever they are read, and without an `activation_cache` nothing is kept on disk.

    `watch` gives more callbacks for a phase. Where the same backbone trains many times
    from the same weights, `known` remembers what its frozen blocks gave last, by how
    many they are and what the head reads.

    `progress` is what was done before, and where it is saved. `distribution` is where
    phases that train blocks run. With `xla` steps are compiled by it; with `profile`
    each phase says where the seconds of a step go.
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
    activation_cache: ActivationCache | None = None
    watch: Callable[[Phase], Sequence[keras.callbacks.Callback]] = lambda phase: ()
    known: MutableMapping[Frozen, list[Activations]] | None = None
    progress: Progress = dataclasses.field(default_factory=Progress)
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    xla: bool = False
    profile: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """A phase made concrete: the part of the model that trains, and what it reads.

    `train_from` gives the training batches without end, from a step of an epoch on, or
    of every batch a share.
    If that is activations that had to be computed, it was at `images_per_second`.
    `feed` tells how batches were prepared.
    """

    model: keras.Model
    train_from: Callable[[int, int, WorkerShard | None], tf.data.Dataset]
    validation: tf.data.Dataset
    feed: Feed
    images_per_second: float = 0.0

    @property
    def train(self) -> tf.data.Dataset:
        """The training batches from the first one on."""
        return self.train_from(0, 0, None)

    @property
    def trained_parameters(self) -> int:
        """How many numbers train."""
        return sum(math.prod(v.shape) for v in self.model.trainable_variables)


def make_task(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
) -> Task:
    """What trains, on activations of what is frozen below it where there is room.

    Nothing in a phase can change them, so they are computed once, not once per epoch.
    """
    depth = freezing.frozen_depth(model.backbone.blocks, phase.trainable_blocks)
    wanted = _Wanted(model, splits, plan, phase, settings, depth)
    # Head-only phases never augment, and nor does `auto` where it would cost a pass.
    if phase.trains_head_only or (depth and settings.augment.strength in _NO_CHANGES):
        task = _task_on_activations(wanted)
        if task is not None:
            return task
    return _task_on_examples(wanted)


@dataclasses.dataclass(frozen=True, eq=False)
class _Wanted:
    """A phase of a plan on data, for which `depth` blocks are frozen."""

    model: TransferModel
    splits: Splits
    plan: TransferPlan
    phase: Phase
    settings: FitSettings
    depth: int

    @property
    def cache(self) -> PixelCache | None:
        """Where images are kept, unless nothing but a head reads them, once."""
        reads_again = len(self.plan.phases) > 1 or not self.phase.trains_head_only
        return self.settings.cache if reads_again else None

    @property
    def read(self) -> Callable[..., tf.data.Dataset]:
        """Gives the batches of a split, as they are and in order."""
        return functools.partial(
            batches,
            input_size_px=self.settings.input_size_px,
            batch_size=self.plan.batch_size,
            cache=self.cache,
        )

    @property
    def frozen(self) -> Frozen:
        """What names the activations that the phase reads."""
        return self.depth, self.plan.head.reads, self.plan.head.grid


def _task_on_activations(wanted: _Wanted) -> Task | None:
    """None where there is no room for them."""
    phase, settings, splits = wanted.phase, wanted.settings, wanted.splits
    lower, upper = _parts(wanted.model, phase, wanted.depth)
    started = time.monotonic()
    kept = _known(settings, phase, wanted.frozen) or keep(
        lower,
        (splits.train, splits.validation),
        wanted.read,
        input_size_px=settings.input_size_px,
        disk=settings.activation_cache,
    )
    if kept is None:
        return None
    if settings.known is not None and not phase.trains_head_only:
        settings.known.clear()
        settings.known[wanted.frozen] = kept
    feed = Feed(splits, settings.imbalance)
    task = _task_on(upper, kept, feed, wanted.plan, settings)
    rate = feed.examples / (time.monotonic() - started)
    return dataclasses.replace(task, images_per_second=rate)


def _task_on_examples(wanted: _Wanted) -> Task:
    """Reads the examples themselves, augmented as the settings say."""
    model, splits, settings = wanted.model, wanted.splits, wanted.settings
    augmentation = chosen_augmentation(
        settings.augment,
        splits.train,
        from_random=wanted.phase == wanted.plan.phases[0],
        mirrors=lambda: settings.distribution.workers.broadcast(
            keeps_labels_mirrored(
                model.model, wanted.read(splits.validation), splits.validation.labels
            )
        ),
    )
    feed = Feed(splits, settings.imbalance, augmentation)

    def train_from(epoch: int, step: int, share: WorkerShard | None) -> tf.data.Dataset:
        return feed.training(
            training_batches(
                splits.train,
                input_size_px=settings.input_size_px,
                batch_size=wanted.plan.batch_size,
                seed=settings.seed,
                first_epoch=epoch,
                first_step=step,
                cache=wanted.cache,
                balanced=feed.draws_evenly,
                augmentation=augmentation,
                classes=feed.classes,
                share=share,
            )
        )

    blocks = model.backbone.blocks
    above = freezing.behind_frozen(
        model.model, blocks, wanted.depth, pooled_blocks=model.pooled_blocks
    )
    return Task(
        model=feed.model(above),
        train_from=train_from,
        validation=feed.validation(wanted.read(splits.validation)),
        feed=feed,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """A model, and what it is judged by: validation as batches that it takes."""

    model: keras.Model
    validation: tf.data.Dataset


def whole_model(
    model: TransferModel, splits: Splits, plan: TransferPlan, settings: FitSettings
) -> Judge:
    """The whole model, judged on validation examples as they are."""
    feed = Feed(splits, settings.imbalance)
    read = batches(
        splits.validation,
        input_size_px=settings.input_size_px,
        batch_size=plan.batch_size,
        cache=settings.cache,
    )
    return Judge(feed.model(model.model), feed.validation(read))


def _parts(
    model: TransferModel, phase: Phase, depth: int
) -> tuple[keras.Model, keras.Model]:
    """What stays as it is in a phase, and what trains on that."""
    if phase.trains_head_only:
        return (
            keras.Model(model.model.input, model.head_input),
            keras.Model(model.head_input, model.model.output),
        )
    blocks = model.backbone.blocks
    lower, upper = freezing.split_at(
        model.model, blocks, depth, pooled_blocks=model.pooled_blocks
    )
    return lower, folded(upper)


def _known(
    settings: FitSettings, phase: Phase, frozen: Frozen
) -> list[Activations] | None:
    if not phase.trains_head_only:
        return None if settings.known is None else settings.known.get(frozen)
    if settings.head_features is None:
        return None
    return [(one,) for one in settings.head_features]


def _task_on(
    upper: keras.Model,
    activations: Sequence[Activations],
    feed: Feed,
    plan: TransferPlan,
    settings: FitSettings,
) -> Task:
    """The upper part of a model, trained on what the lower one gives.

    Of training that may be several views of all examples, one after the other: an epoch
    takes each example once, and its views take turns.
    """
    splits = feed.splits
    examples, views = len(splits.train), len(activations[0][0]) // len(splits.train)
    train = taker(activations[0], np.tile(splits.train.labels, views))
    validation = taker(activations[1], splits.validation.labels)

    def row(draw: Sample) -> tf.Tensor:
        return draw.index + examples * ((draw.index + draw.epoch) % views)

    def train_from(epoch: int, step: int, share: WorkerShard | None) -> tf.data.Dataset:
        rows = plan.batch_size if share is None else share.rows
        return feed.training(
            shuffled_epochs(
                examples,
                lambda draws: draws.map(row).map(train),
                seed=settings.seed,
                first_epoch=epoch,
                first_example=step * plan.batch_size,
                balance=splits.train.labels if feed.draws_evenly else None,
                share=share,
                at_once=rows,
            )
        )

    rows = untuned(tf.data.Dataset.range(len(splits.validation)))
    return Task(
        model=feed.model(upper),
        train_from=train_from,
        validation=feed.validation(rows.batch(plan.batch_size).map(validation)),
        feed=feed,
    )
