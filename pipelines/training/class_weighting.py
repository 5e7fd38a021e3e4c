"""The training data of a phase: augmentation, and a correction of imbalance."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.config import AugmentConfig
from pipelines.data.input.augment import Augmentation
from pipelines.data.input.augment_series import SeriesAugmentation
from pipelines.data.input.imbalance import class_weights, log_prior, one_hot, weighted
from pipelines.data.splits import Inputs, Split, Splits
from pipelines.display.text import PLURALS
from pipelines.errors import ConfigError
from pipelines.features.extract import extract
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import problem_of
from pipelines.training.distillation import DistillationLoss, label_accuracy

_log = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Feed:
    """The weights and labels of batches, and the model and loss that go with them.

    `imbalance` is `none`, `weights`, `sampling` or `prior_correction`. With any but
    `none`, every class counts the same on validation. `label_smoothing` is the share of
    a training label that is spread over all answers; validation has plain labels.
    `number_loss` is the loss where labels are numbers.
    """

    splits: Splits
    imbalance: str
    augmentation: Augmentation | SeriesAugmentation | None = None
    label_smoothing: float = 0.0
    number_loss: str = "huber"

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem that the labels are of."""
        return problem_of(self.splits).with_loss(self.number_loss)

    @property
    def examples(self) -> int:
        """The number of examples in training and validation together."""
        return len(self.splits.train) + len(self.splits.validation)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.splits.info.class_names)

    @property
    def balances(self) -> bool:
        """True if every class counts the same."""
        return self.imbalance != "none"

    @functools.cached_property
    def balanced_loss(self) -> keras.losses.Loss | None:
        """The loss that makes classes count the same; None where examples do."""
        return self.problem.balanced_loss() if self.balances else None

    @property
    def draws_evenly(self) -> bool:
        """True if every class is drawn as often as the others."""
        return self.imbalance == "sampling"

    @property
    def log_prior(self) -> np.ndarray:
        """Logarithms of the shares of the classes in training, float32 `[classes]`."""
        train = self.splits.train
        return log_prior(train.labels, self.classes, train.relative_weights)

    def training(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Training batches, with weights of classes if `imbalance` is `weights`."""
        if self.imbalance == "weights" and self.balanced_loss is None:
            batches = weighted(batches, self._class_weights(self.splits.train))
        if not self.label_smoothing:
            return batches
        # After the weights, which are of the class that an example has.
        return batches.map(
            lambda inputs, labels, *weights: (
                inputs,
                self.problem.smoothed(labels, self.label_smoothing),
                *weights,
            )
        )

    def validation(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Validation batches with labels as in training, weighted if `balances`."""
        if self._has_soft_labels and self.splits.validation.labels.ndim == 1:
            batches = one_hot(batches, self.classes)
        if not self.balances or self.balanced_loss is not None:
            return batches
        return weighted(batches, self._class_weights(self.splits.validation))

    def _class_weights(self, split: Split) -> np.ndarray:
        return class_weights(split.labels, self.classes, split.relative_weights)

    def model(self, model: keras.Model) -> keras.Model:
        """The model to train, which shares its layers with `model`."""
        if self.imbalance != "prior_correction":
            return model
        return with_prior(model, self.log_prior)

    def loss(self) -> keras.losses.Loss:
        """The loss for labels as they are, mixed or smoothed, or for lessons."""
        lessons = self.splits.train.lessons
        if lessons is not None:
            return DistillationLoss(lessons.temperature, lessons.weight, self.classes)
        return self.balanced_loss or self.problem.loss(soft=self._has_soft_labels)

    def epoch_metrics(self) -> list[Any]:
        """The metrics of an epoch, as Keras takes them; new ones each time."""
        if self.splits.train.lessons is not None:
            return [label_accuracy(self.problem.epoch_metric, self.classes)]
        return self.problem.epoch_metrics()

    @property
    def _has_soft_labels(self) -> bool:
        is_mixed = self.augmentation is not None and self.augmentation.mixes
        is_taught = self.splits.train.lessons is not None
        return is_mixed or is_taught or self.label_smoothing > 0


# Strings, which nothing changes before a network reads them.
_AS_THEY_ARE = ("text", "sound")


def refuse_augmentation(augment: AugmentConfig, inputs: Inputs) -> None:
    """Raises `ConfigError` if the config augments texts or sounds."""
    if augment.strength in ("light", "strong") and inputs.modality in _AS_THEY_ARE:
        raise ConfigError(
            f"config.augment.strength is '{augment.strength}', but the data hold"
            f" {PLURALS[inputs.modality]}; only images and series can be augmented."
            " Leave it at 'auto', or set it to 'none'."
        )


def _of_series(
    augment: AugmentConfig, *, from_random: bool
) -> SeriesAugmentation | None:
    """The augmentation of series; `auto` where a network learns all from them."""
    if augment.strength == "auto" and not from_random:
        return None
    factor = 2.0 if augment.strength == "strong" else 1.0
    chosen = SeriesAugmentation(
        jitter=factor * augment.jitter,
        scaling=min(0.9, factor * augment.scaling),
        warp=min(0.9, factor * augment.warp),
        window=max(0.05, 1 - factor * (1 - augment.window)),
    )
    _log.info("augmentation: %s", chosen)
    return chosen


def refuse_views(views: str, inputs: Inputs) -> None:
    """Raises `ConfigError` if the config asks for views of data other than images."""
    if views != "none" and inputs.modality != "image":
        raise ConfigError(
            f"config.test_views is '{views}', but the data hold"
            f" {PLURALS[inputs.modality]}; only images have mirrored views. Leave it"
            " out."
        )


def chosen_augmentation(
    augment: AugmentConfig,
    train: Split,
    *,
    from_random: bool,
    mirrors: Callable[[], bool],
) -> Augmentation | SeriesAugmentation | None:
    """The augmentation for a phase that reads its examples in each epoch; may be None.

    `from_random` means that the weights are random. `mirrors` measures if mirrored
    images keep their labels, and is called only if the config leaves that open.
    """
    if augment.strength == "none" or train.inputs.modality in _AS_THEY_ARE:
        return None
    if train.inputs.modality == "series":
        return _of_series(augment, from_random=from_random)
    # A few epochs from random weights learn less from augmented images: on 280 digits
    # validation accuracy is 0.38 after 8 epochs, and 0.45 without.
    if augment.strength == "auto" and from_random:
        return None
    flip = augment.flip
    if flip == "auto":
        flip = "horizontal" if mirrors() else "none"
    is_strong = augment.strength == "strong"
    has_many = len(train) >= augment.mixup_from_images
    chosen = Augmentation(
        flip=flip,
        crop=augment.crop,
        colour=augment.colour,
        randaugment_operations=augment.randaugment_operations if is_strong else 0,
        randaugment_strength=augment.randaugment_strength if is_strong else 0.0,
        mixup=augment.mixup if has_many else 0.0,
        cutmix=augment.cutmix,
    )
    _log.info("augmentation: %s", chosen)
    return chosen


def keeps_labels_mirrored(
    model: keras.Model,
    batches: tf.data.Dataset,
    labels: np.ndarray,
    problem: Problem,
) -> bool:
    """True if a model is as good on mirrored images, within one standard error.

    False for a model that is not better than an answer that is always the same.
    """

    def judged(stream: tf.data.Dataset) -> np.ndarray:
        (logits,) = extract(model, stream)
        return problem.judge(logits, labels).quality.astype(np.float64)

    as_they_are = judged(batches)
    error = as_they_are.std() / np.sqrt(len(labels))
    if as_they_are.mean() <= problem.least_quality(labels) + error:
        return False
    mirrored = batches.map(lambda images, y: (tf.reverse(images, [2]), y))
    return bool(judged(mirrored).mean() >= as_they_are.mean() - error)


@keras.saving.register_keras_serializable("zootune")
class PriorInTraining(keras.layers.Layer):
    """Adds the log prior to logits in training, and nothing at any other time.

    Logit adjustment (https://arxiv.org/abs/2007.07314): the cross-entropy of the output
    is the loss of the paper, also for soft labels. Logits learn the differences between
    classes, and not how frequent they are.
    """

    def __init__(self, log_prior: Sequence[float], **layer_options: object) -> None:
        super().__init__(**{"dtype": "float32", **layer_options})
        self.log_prior = [float(value) for value in log_prior]

    def call(self, logits: tf.Tensor, training: bool = False) -> tf.Tensor:
        return logits + np.array(self.log_prior, np.float32) if training else logits

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "log_prior": self.log_prior}


def with_prior(model: keras.Model, log_prior: np.ndarray) -> keras.Model:
    """A model to train, which shares its layers with the `model` to serve."""
    return keras.Model(model.input, PriorInTraining(log_prior.tolist())(model.output))
