"""The task of a phase: the part of the model that trains, and the batches it reads."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.data.input.augment import Augmentation
from pipelines.data.input.augment_series import SeriesAugmentation
from pipelines.data.input.autotune import untuned
from pipelines.data.input.batches import batches, training_batches
from pipelines.data.input.order import Sample, WorkerShard, shuffled_epochs
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.splits import Split, Splits
from pipelines.features.extract import Activations
from pipelines.features.stored import keep, taker
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.problems.registry import problem_of
from pipelines.training import freezing
from pipelines.training.class_weighting import (
    Feed,
    chosen_augmentation,
    keeps_labels_mirrored,
)
from pipelines.training.phases.workspace import Frozen, Workspace
from pipelines.training.transfer_model import TransferModel
from zoo.graph.folding import folded

# Kinds of augmentation that leave the images of a phase with frozen blocks as they are.
_NO_CHANGES = ("auto", "none")


@dataclasses.dataclass(frozen=True, eq=False)
class PhaseInputs:
    """A phase of a plan, with the model and the data that it trains on.

    `seed` is of this phase alone: what it draws does not depend on earlier phases.
    """

    model: TransferModel
    splits: Splits
    plan: TransferPlan
    phase: Phase
    workspace: Workspace
    seed: int

    @property
    def input_size_px(self) -> int | None:
        """The side of the images that the backbone takes."""
        return self.model.backbone.input_size_px

    @property
    def frozen_depth(self) -> int:
        """The number of blocks below all that train."""
        return freezing.frozen_depth(
            self.model.backbone.blocks, self.phase.trainable_blocks
        )

    @property
    def frozen(self) -> Frozen:
        """The key of the activations that the phase reads."""
        return self.frozen_depth, self.plan.head.reads, self.plan.head.grid

    @property
    def pixel_cache(self) -> PixelCache | None:
        """The cache of images, unless only a head reads them, and once."""
        reads_again = len(self.plan.phases) > 1 or not self.phase.trains_head_only
        return self.workspace.pixel_cache if reads_again else None

    @property
    def read(self) -> Callable[..., tf.data.Dataset]:
        """A function from a split to its batches, as they are and in order."""
        return functools.partial(
            batches,
            input_size_px=self.input_size_px,
            batch_size=self.plan.batch_size,
            cache=self.pixel_cache,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class PhaseTask:
    """The part of the model that trains, and its batches.

    `train_from` gives the training batches without end, from a step of an epoch on;
    with a share, the rows of one worker. Activations were computed at
    `images_per_second`; 0 if none were. `feed` has how batches were prepared.
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
        """The count of numbers that train."""
        return sum(math.prod(v.shape) for v in self.model.trainable_variables)


def make_task(inputs: PhaseInputs) -> PhaseTask:
    """The task of a phase, on activations of the frozen blocks if there is room.

    Nothing in a phase can change them, so they are computed once, not once per epoch.
    """
    keeps_images = inputs.plan.augment.strength in _NO_CHANGES
    # Head-only phases never augment, and nor does `auto` where it would cost a pass.
    if inputs.phase.trains_head_only or (inputs.frozen_depth and keeps_images):
        task = _task_on_activations(inputs)
        if task is not None:
            return task
    return _task_on_examples(inputs)


def _task_on_activations(inputs: PhaseInputs) -> PhaseTask | None:
    """A task on activations; `None` if there is no room for them."""
    workspace, splits = inputs.workspace, inputs.splits
    lower, upper = _parts(inputs)
    started = time.monotonic()
    kept = _known(inputs) or keep(
        lower,
        (splits.train, splits.validation),
        inputs.read,
        input_size_px=inputs.input_size_px,
        disk=workspace.activation_cache,
    )
    if kept is None:
        return None
    known = workspace.known_activations
    if known is not None and not inputs.phase.trains_head_only:
        known.clear()
        known[inputs.frozen] = kept
    feed = _feed(inputs)
    task = _task_on(upper, kept, feed, inputs)
    rate = feed.examples / (time.monotonic() - started)
    return dataclasses.replace(task, images_per_second=rate)


def _feed(
    inputs: PhaseInputs,
    augmentation: Augmentation | SeriesAugmentation | None = None,
) -> Feed:
    """The feed of the phase."""
    return Feed(
        inputs.splits,
        inputs.plan.imbalance,
        augmentation,
        inputs.phase.label_smoothing,
        inputs.phase.number_loss,
    )


def _task_on_examples(inputs: PhaseInputs) -> PhaseTask:
    """A task that reads the examples themselves, augmented as the plan says."""
    model, splits, plan = inputs.model, inputs.splits, inputs.plan
    augmentation = chosen_augmentation(
        plan.augment,
        splits.train,
        from_random=inputs.phase == plan.phases[0],
        mirrors=lambda: inputs.workspace.distribution.workers.broadcast(
            keeps_labels_mirrored(
                model.model,
                inputs.read(splits.validation),
                splits.validation.labels,
                problem_of(splits),
            )
        ),
    )
    feed = _feed(inputs, augmentation)

    def train_from(epoch: int, step: int, share: WorkerShard | None) -> tf.data.Dataset:
        return feed.training(
            training_batches(
                splits.train,
                input_size_px=inputs.input_size_px,
                batch_size=plan.batch_size,
                seed=inputs.seed,
                first_epoch=epoch,
                first_step=step,
                cache=inputs.pixel_cache,
                balanced=feed.draws_evenly,
                augmentation=augmentation,
                classes=feed.classes,
                share=share,
            )
        )

    blocks, depth = model.backbone.blocks, inputs.frozen_depth
    above = freezing.behind_frozen(
        model.model, blocks, depth, pooled_blocks=model.pooled_blocks
    )
    return PhaseTask(
        model=feed.model(above),
        train_from=train_from,
        validation=feed.validation(inputs.read(splits.validation, weighted=True)),
        feed=feed,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Validator:
    """A model, and the validation batches that it takes."""

    model: keras.Model
    validation: tf.data.Dataset


def whole_model(inputs: PhaseInputs) -> Validator:
    """The whole model, validated on examples as they are."""
    feed = Feed(inputs.splits, inputs.plan.imbalance)
    read = batches(
        inputs.splits.validation,
        input_size_px=inputs.input_size_px,
        batch_size=inputs.plan.batch_size,
        cache=inputs.workspace.pixel_cache,
        weighted=True,
    )
    return Validator(feed.model(inputs.model.model), feed.validation(read))


def _parts(inputs: PhaseInputs) -> tuple[keras.Model, keras.Model]:
    """The part that stays as it is in a phase, and the part that trains on that."""
    model = inputs.model
    if inputs.phase.trains_head_only:
        return (
            keras.Model(model.model.input, model.head_input),
            model.head,
        )
    blocks, depth = model.backbone.blocks, inputs.frozen_depth
    lower, upper = freezing.split_at(
        model.model, blocks, depth, pooled_blocks=model.pooled_blocks
    )
    return lower, folded(upper)


def _known(inputs: PhaseInputs) -> list[Activations] | None:
    """The activations that need not be computed again."""
    workspace = inputs.workspace
    if not inputs.phase.trains_head_only:
        known = workspace.known_activations
        return None if known is None else known.get(inputs.frozen)
    if workspace.head_features is None:
        return None
    return [(features,) for features in workspace.head_features]


def _columns(split: Split) -> list[np.ndarray]:
    """What is learned of a split, and its weights where it has them."""
    weights = split.relative_weights
    return [split.learned] if weights is None else [split.learned, weights]


def _task_on(
    upper: keras.Model,
    activations: Sequence[Activations],
    feed: Feed,
    inputs: PhaseInputs,
) -> PhaseTask:
    """The upper part of a model, trained on the activations of the lower part.

    Of training there may be several views of all examples, one after the other: an
    epoch takes each example once, and its views take turns.
    """
    batch_size = inputs.plan.batch_size
    splits = feed.splits
    examples, views = len(splits.train), len(activations[0][0]) // len(splits.train)
    of_views = [np.concatenate([column] * views) for column in _columns(splits.train)]
    train = taker(activations[0], *of_views)
    validation = taker(activations[1], *_columns(splits.validation))

    def row(draw: Sample) -> tf.Tensor:
        return draw.index + examples * ((draw.index + draw.epoch) % views)

    def train_from(epoch: int, step: int, share: WorkerShard | None) -> tf.data.Dataset:
        rows = batch_size if share is None else share.rows
        return feed.training(
            shuffled_epochs(
                examples,
                lambda draws: draws.map(row).map(train),
                seed=inputs.seed,
                first_epoch=epoch,
                first_example=step * batch_size,
                balance=splits.train.labels if feed.draws_evenly else None,
                share=share,
                at_once=rows,
            )
        )

    rows = untuned(tf.data.Dataset.range(len(splits.validation)))
    return PhaseTask(
        model=feed.model(upper),
        train_from=train_from,
        validation=feed.validation(rows.batch(batch_size).map(validation)),
        feed=feed,
    )
