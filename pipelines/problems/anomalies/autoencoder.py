"""Autoencoders that learn normal series: what they cannot repeat is strange."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.probing.detector import Detector
from pipelines.problems.anomalies.networks import NETWORKS, Coder

_BATCH, _LEARNING_RATE = 32, 2e-3
# Steps in all, between two looks at what is held out, and looks without a gain.
_STEPS, _EVERY, _PATIENCE = 1000, 50, 4
_HELD_OUT, _FEWEST_HELD_OUT = 5, 3
_NOISE, _SPARSITY, _CONTRACTION, _DIVERGENCE = 0.3, 1e-2, 1e-2, 1e-2
_NUDGE = 0.1
# The weight of what is usual at a step, beside what is usual anywhere.
_OWN_STEP = 0.5
_TINY = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class AutoencoderDetector(Detector):
    """A detector with an autoencoder of series beside the averages of blocks.

    `network` takes and gives standardized series, by `mean` and `scale` `[channels]`.
    `usual` `[length]` is what is usually wrong at a step, squared.
    """

    network: keras.Model | None = None
    mean: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(1))
    scale: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))
    usual: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(1))


def with_autoencoder(
    detector: Detector, series: np.ndarray, *, seed: int = 0
) -> AutoencoderDetector:
    """The detector with an autoencoder that its method names, trained on `series`.

    `series` `[n, length, channels]` has a row for each example that it was fitted to,
    or left out. A fifth is held out: it ends the training, and says what is usual.
    """
    kept = np.setdiff1d(np.arange(len(series)), detector.left_out)
    values = series[kept].astype(np.float64)
    mean = values.mean(axis=(0, 1))
    scale = np.maximum(values.std(axis=(0, 1)), 1e-6 * np.maximum(abs(mean), 1.0))
    x = ((values - mean) / scale).astype(np.float32)
    is_held_out = np.arange(len(x)) % _HELD_OUT == _HELD_OUT - 1
    if is_held_out.sum() < _FEWEST_HELD_OUT:
        is_held_out[:] = False
    fitted, held_out = x[~is_held_out], x[is_held_out]
    _, network, regularizer = detector.method.split(":")
    made = _trained(network, regularizer, fitted, held_out, seed=seed)
    new = held_out if len(held_out) else fitted
    wrong = np.square(np.asarray(made(new), np.float64) - new).mean(axis=(0, 2))
    return AutoencoderDetector(
        **{
            field.name: getattr(detector, field.name)
            for field in dataclasses.fields(Detector)
        },
        network=made,
        mean=mean,
        scale=scale,
        usual=_OWN_STEP * wrong + (1 - _OWN_STEP) * wrong.mean() + _TINY,
    )


def _trained(
    network: str,
    regularizer: str,
    fitted: np.ndarray,
    held_out: np.ndarray,
    *,
    seed: int,
) -> keras.Model:
    """The autoencoder with the weights that repeat what is held out best."""
    keras.utils.set_random_seed(seed)
    codes = 2 if regularizer == "variational" else 1
    coder = NETWORKS[network](*fitted.shape[1:], codes=codes)
    series = keras.Input(fitted.shape[1:])
    code = coder[0](series)
    repeated = coder[1](code[..., : code.shape[-1] // codes])
    whole = keras.Model(series, repeated, name=f"{network}_autoencoder")
    optimizer = keras.optimizers.Adam(_LEARNING_RATE, clipnorm=1.0)
    optimizer.build(whole.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(batch: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = _loss(coder, regularizer, batch)
        slopes = tape.gradient(loss, whole.trainable_variables)
        optimizer.apply_gradients(zip(slopes, whole.trainable_variables))

    rng = np.random.default_rng(seed)
    judged = held_out if len(held_out) else fitted
    best, best_weights, waited = np.inf, whole.get_weights(), 0
    for done in range(1, _STEPS + 1):
        step(tf.constant(fitted[rng.integers(0, len(fitted), _BATCH)]))
        if done % _EVERY:
            continue
        wrong = float(np.square(np.asarray(whole(judged)) - judged).mean())
        if wrong < best:
            best, best_weights, waited = wrong, whole.get_weights(), 0
        elif (waited := waited + 1) >= _PATIENCE:
            break
    whole.set_weights(best_weights)
    whole.trainable = False
    return whole


def _loss(coder: Coder, regularizer: str, batch: tf.Tensor) -> tf.Tensor:
    """What is wrong with the repetition, and what the regularizer adds to it."""
    encoder, decoder = coder
    read, added = batch, 0.0
    if regularizer == "denoising":
        read = batch + _NOISE * tf.random.normal(tf.shape(batch))
    code = encoder(read, training=True)
    if regularizer == "sparse":
        added = _SPARSITY * ops.mean(ops.abs(code))
    if regularizer == "contractive":
        # The norm of the Jacobian, along a random direction.
        nudge = _NUDGE * tf.random.normal(tf.shape(batch))
        moved = (encoder(read + nudge, training=True) - code) / _NUDGE
        added = _CONTRACTION * ops.mean(ops.square(moved))
    if regularizer == "variational":
        code, spread = ops.split(code, 2, axis=-1)
        spread = ops.clip(spread, -8.0, 8.0)
        own = ops.square(code) + ops.exp(spread) - spread - 1.0
        added = _DIVERGENCE * ops.mean(own)
        code = code + ops.exp(spread / 2) * tf.random.normal(tf.shape(code))
    return ops.mean(ops.square(decoder(code, training=True) - batch)) + added
