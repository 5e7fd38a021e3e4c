"""Augmentation of images: a function of the seed, the epoch and the example alone.

So it does not depend on the batch size, the number of parallel calls or the epoch at
which a run is resumed. Pixels stay uint8, 0..255.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

from pipelines.data.input.order import Sample

_FLIPS = {"none": (False, False), "horizontal": (True, False), "both": (True, True)}
# Numbers of the streams of randomness of one sample.
_PLACE, _OPERATIONS, _MIX = range(3)
# A Keras layer works on float32 pixels, whatever the policy of the run.
_PIXELS = {"dtype": "float32"}
_RANGE = {**_PIXELS, "value_range": (0, 255)}


@dataclasses.dataclass(frozen=True, slots=True)
class Augmentation:
    """The changes to the training images of a phase.

    `flip` is `none`, `horizontal` or `both`. A crop has `crop` of the area at least and
    is stretched to the whole. `colour` is the largest relative change of brightness,
    contrast and saturation. `randaugment_operations` of RandAugment
    (https://arxiv.org/abs/1909.13719) follow, of `randaugment_strength` up to 1.
    `mixup` (https://arxiv.org/abs/1710.09412) and `cutmix`
    (https://arxiv.org/abs/1905.04899) are their alphas, and 0 is off; with both, either
    is drawn for a pair.
    """

    flip: str = "none"
    crop: float = 1.0
    colour: float = 0.0
    randaugment_operations: int = 0
    randaugment_strength: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    @property
    def mixes(self) -> bool:
        """True if labels become soft: `[batch, classes]`, each row adding up to 1."""
        return self.mixup > 0 or self.cutmix > 0


def augmenter(
    augmentation: Augmentation, *, seed: int
) -> Callable[[tf.Tensor, Sample], tf.Tensor]:
    """A function from pixels uint8 `[h, w, 3]` and their sample to pixels like them."""
    operations = _operations(augmentation.randaugment_strength)
    # A `tf.function` is traced once, not for every operation and data set.
    one_of = tf.function(lambda x, key: _one_of(operations, x, key))

    def augment(pixels: tf.Tensor, sample: Sample) -> tf.Tensor:
        key = _key(seed, sample)
        u = tf.random.stateless_uniform([8], _fold(key, _PLACE), alg="philox")
        x = _place(pixels, augmentation, u[:5])
        if augmentation.colour:
            x = _colour(x, 1 + augmentation.colour * (2 * u[5:] - 1))
        for number in range(augmentation.randaugment_operations):
            x = one_of(x, _fold(key, _OPERATIONS, number))
        return _as_pixels(x)

    return augment


def mixer(
    augmentation: Augmentation, *, seed: int
) -> Callable[[tf.Tensor, tf.Tensor, Sample], tuple[tf.Tensor, tf.Tensor]]:
    """A function that mixes two images into each other, and their labels too.

    It takes pixels uint8 `[2, h, w, 3]`, labels float32 `[2, classes]` and the draw of
    the first.
    """
    # Keras takes the alpha of CutMix as a range to draw it from.
    mixers = [layers.MixUp(augmentation.mixup, **_PIXELS)] if augmentation.mixup else []
    if augmentation.cutmix:
        mixers.append(
            layers.CutMix((augmentation.cutmix, augmentation.cutmix), **_PIXELS)
        )

    def mix(
        pixels: tf.Tensor, labels: tf.Tensor, sample: Sample
    ) -> tuple[tf.Tensor, tf.Tensor]:
        key = _fold(_key(seed, sample), _MIX)

        def mixed_by(layer: layers.Layer) -> tuple[tf.Tensor, tf.Tensor]:
            change = layer.get_random_transformation(pixels, seed=_Keyed(key))
            # Always with the other: Keras' permutation leaves half of all pairs as
            # they are.
            change = {**change, "permutation_order": tf.constant([1, 0])}
            images = layer.transform_images(tf.cast(pixels, tf.float32), change)
            return _as_pixels(images), layer.transform_labels(labels, change)

        return tf.switch_case(
            _integer(_fold(key, 1), len(mixers)),
            [lambda layer=layer: mixed_by(layer) for layer in mixers],
        )

    return mix


class _Keyed(keras.random.SeedGenerator):
    """Seeds for Keras' layers that follow from a key, not from a state."""

    def __init__(self, key: tf.Tensor) -> None:
        # Not the initializer of Keras, which makes a variable.
        self._key = key
        self._drawn = 0

    def next(self, ordered: bool = True) -> tf.Tensor:
        self._drawn += 1
        return _fold(self._key, self._drawn)


def _key(seed: int, sample: Sample) -> tf.Tensor:
    return _fold(tf.constant([seed, 0]), sample.epoch, sample.index, sample.repeat)


def _fold(key: tf.Tensor, *numbers: tf.Tensor | int) -> tf.Tensor:
    """Another key, int32 `[2]`, for every sequence of numbers."""
    for number in numbers:
        # Named, because the default differs from one kind of device to another.
        key = tf.random.experimental.stateless_fold_in(key, number, alg="philox")
    return key


def _integer(key: tf.Tensor, below: int) -> tf.Tensor:
    return tf.random.stateless_uniform([], key, 0, below, tf.int32, alg="philox")


def _place(pixels: tf.Tensor, augmentation: Augmentation, u: tf.Tensor) -> tf.Tensor:
    """A crop at its place, flipped or not, as float32 `[h, w, 3]`."""
    side = tf.sqrt(augmentation.crop + (1 - augmentation.crop) * u[0])
    top, left = u[1] * (1 - side), u[2] * (1 - side)
    across, down = _FLIPS[augmentation.flip]
    x0, x1 = _turned(left, left + side, across & (u[3] < 0.5))
    y0, y1 = _turned(top, top + side, down & (u[4] < 0.5))
    # From the last to the first row or column is flipped.
    box = tf.stack([y0, x0, y1, x1])
    size = tf.shape(pixels)[:2]
    cropped = tf.image.crop_and_resize(pixels[tf.newaxis], box[tf.newaxis], [0], size)
    return tf.ensure_shape(cropped[0], pixels.shape)


def _turned(
    start: tf.Tensor, end: tf.Tensor, is_turned: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.where(is_turned, end, start), tf.where(is_turned, start, end)


def _colour(x: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Brightness, contrast and saturation times a factor each."""
    brightness, contrast, saturation = tf.unstack(factors)
    x = x * brightness
    # In whole numbers: their sum is the same in any order of adding.
    total = tf.reduce_sum(tf.cast(tf.round(x), tf.int64))
    mean = tf.cast(total / tf.size(x, tf.int64), tf.float32)
    x = (x - mean) * contrast + mean
    return tf.image.adjust_saturation(tf.clip_by_value(x, 0.0, 255.0), saturation)


def _operations(strength: float) -> list[layers.Layer]:
    """Keras' layers for the operations of RandAugment, each up to `strength`.

    `keras.layers.RandAugment` computes all of them for every image and keeps one, and
    it takes no key.
    """
    if strength == 0:
        return []
    return [
        layers.RandomShear(strength, strength, **_PIXELS),
        layers.RandomTranslation(strength, strength, **_PIXELS),
        # In full turns: a strength of 1 is 90 degrees to either side.
        layers.RandomRotation(strength / 4, **_PIXELS),
        layers.RandomBrightness(strength, **_RANGE),
        layers.RandomContrast(strength, **_RANGE),
        layers.RandomColorDegeneration(strength, **_RANGE),
        layers.RandomSharpness(strength, **_RANGE),
        layers.RandomPosterization(8 - round(4 * strength), **_RANGE),
        layers.Solarization(strength / 2, strength, **_RANGE),
        layers.AutoContrast(**_RANGE),
        layers.Equalization(**_RANGE),
    ]


def _one_of(operations: list[layers.Layer], x: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    def apply(layer: layers.Layer) -> tf.Tensor:
        batch = tf.clip_by_value(x, 0.0, 255.0)[tf.newaxis]
        change = layer.get_random_transformation(batch, seed=_Keyed(key))
        return tf.ensure_shape(layer.transform_images(batch, change)[0], x.shape)

    return tf.switch_case(
        _integer(_fold(key, 0), len(operations)),
        [lambda layer=layer: apply(layer) for layer in operations],
    )


def _as_pixels(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(tf.clip_by_value(x, 0.0, 255.0)), tf.uint8)
