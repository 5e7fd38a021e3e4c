"""What the contract is tested on: how rows are built small, and what they are given."""

import dataclasses
import zlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import zoo
from pipelines.data.sounds.wave_file import wave_bytes
from tests.support.tones import RATE_HZ, tone
from zoo.graph.blocks import KeepsStatistics
from zoo.spec import ImageInput, SeriesInput, SoundInput, TableInput, TextInput

EXAMPLES = 4
SEED = 7
# Enough for every tokenizer to have a token, and padding after the shortest text.
_TEXT_TOKENS = 8
_TEXTS = ("a house", "two boats by the sea", "rain", "the sun and the moon")

# The smallest of families that have no kind of layer for itself: `test_saving.py` has
# the rows that have them. They are saved, and trained in every way, by CONTRACT=all.
BUILT_OF_OTHERS = {
    "densenet121",
    "efficientnet_v2_b0",
    "inception_resnet_v2",
    "nasnet_mobile",
    "resnet50_v2",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A backbone under test, how to build it again, and what to give to it.

    `inputs` is a batch of `EXAMPLES` and `features` what it gives for them; `initial`
    has a checksum of each weight as it was built. Siblings of a family have none of
    these: their weights have shapes alone.
    """

    backbone: zoo.Backbone
    build: Callable[[], zoo.Backbone]
    inputs: tf.Tensor | None = None
    features: np.ndarray | None = None
    initial: list[int] = dataclasses.field(default_factory=list)

    @property
    def model(self) -> keras.Model:
        return self.backbone.model

    @property
    def spec(self) -> zoo.BackboneSpec:
        return self.backbone.spec


def build(name: str, **options) -> zoo.Backbone:
    """The backbone with the weights that the seed of the suite gives."""
    keras.utils.set_random_seed(SEED)
    return zoo.build(name, **options)


def smallest(spec: zoo.BackboneSpec) -> dict:
    """The arguments that build a row at the least size that it takes.

    The weights are random, unless the row cannot have such.
    """
    start = {"weights": "default" if spec.carries_weights else None}
    match spec.input:
        case ImageInput():
            return {**start, "input_size_px": spec.input.minimum_size_px}
        case TextInput(tokenizer=None):
            return start
        case TextInput():
            return {**start, "input_length": _TEXT_TOKENS}
        case TableInput():
            return start
        case SeriesInput():
            return {**start, "input_length": spec.input.minimum_length_steps}
        case SoundInput():
            # At its default length, which parameters are counted for.
            return {**start, "rate_hz": RATE_HZ}


def examples(backbone: zoo.Backbone) -> tf.Tensor:
    """A batch of what the modality is; every example is another one."""
    rng = np.random.default_rng(0)
    shape = (EXAMPLES, *backbone.model.input_shape[1:])
    match backbone.spec.modality:
        case "image":
            return tf.constant(rng.integers(0, 256, shape), tf.uint8)
        case "text":
            return tf.constant(_TEXTS)
        case "series":
            return tf.constant(rng.normal(size=shape), tf.float32)
        case "table":  # every column lacks a value somewhere
            rows = rng.normal(size=shape)
            rows[np.arange(shape[1]) % len(rows), np.arange(shape[1])] = np.nan
            return tf.constant(rows, tf.float32)
        case "sound":
            tones = (tone(300 * (i + 1), seed=i) for i in range(EXAMPLES))
            return tf.constant([wave_bytes(x, RATE_HZ) for x in tones])


def run(model: keras.Model, inputs: tf.Tensor) -> np.ndarray:
    """The features in inference mode, as float32."""
    return tf.cast(model(inputs, training=False), tf.float32).numpy()


def differ(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the range of what was expected."""
    assert found.shape == expected.shape
    assert np.isfinite(expected).all()
    return float(np.abs(found - expected).max() / np.ptp(expected))


def checksums(backbone: zoo.Backbone) -> list[int]:
    """One for each weight; equal ones mean equal bits."""
    weights = backbone.model.weights
    return [zlib.crc32(np.ascontiguousarray(weight.numpy())) for weight in weights]


def statistics(layer: keras.layers.Layer) -> list[keras.Variable]:
    """The weights that training moves, but no gradient."""
    if isinstance(layer, KeepsStatistics):
        return list(layer.statistics)
    if isinstance(layer, keras.layers.BatchNormalization):
        return [layer.moving_mean, layer.moving_variance]
    return []


def scales(layer: keras.layers.Layer) -> list[keras.Variable]:
    """What BatchNorm multiplies by and adds."""
    if isinstance(layer, KeepsStatistics):
        return list(layer.scales)
    if isinstance(layer, keras.layers.BatchNormalization):
        return [v for v in (layer.gamma, layer.beta) if v is not None]
    return []


def settle(backbone: zoo.Backbone, inputs: tf.Tensor) -> None:
    """Gives BatchNorm variances that keep features within bounds, as training would.

    With those that they are made with, random networks of some hundred layers double
    every rounding error layer by layer, and no two ways to compute them agree.
    """
    layers = [layer for block in backbone.blocks for layer in block.layers]
    norms = [x for x in layers if isinstance(x, keras.layers.BatchNormalization)]
    drops = [x for x in layers if isinstance(x, keras.layers.Dropout)]
    if not norms:
        return
    momenta, rates = [x.momentum for x in norms], [x.rate for x in drops]
    for layer in norms:
        layer.momentum = 0.0
    for layer in drops:
        layer.rate = 0.0
    backbone.model(inputs, training=True)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
        layer.moving_mean.assign(keras.ops.zeros_like(layer.moving_mean))
        layer.moving_variance.assign(keras.ops.maximum(layer.moving_variance, 1.0))
    for layer, rate in zip(drops, rates):
        layer.rate = rate
