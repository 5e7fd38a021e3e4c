"""The training of autoencoders of series: from random weights, or from a source."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.errors import ArtifactError
from pipelines.problems.anomalies.networks import NETWORKS

_BATCH, _LEARNING_RATE = 32, 2e-3
# The rate of a network of another source, as a share of what a new one has.
_FINE_TUNING = 0.1
# Steps in all, between two looks at what is held out, and looks without a gain.
_STEPS, _EVERY, _PATIENCE = 1000, 50, 4
_HELD_OUT, _FEWEST_HELD_OUT = 5, 3
_NOISE, _SPARSITY, _CONTRACTION, _DIVERGENCE = 0.3, 1e-2, 1e-2, 1e-2
_NUDGE = 0.1


def held_out_of(count: int) -> np.ndarray:
    """The examples, bool `[count]`, that end a training; none where they are few."""
    is_held_out = np.arange(count) % _HELD_OUT == _HELD_OUT - 1
    return is_held_out & (is_held_out.sum() >= _FEWEST_HELD_OUT)


def trained(
    network: str,
    regularizer: str,
    fitted: np.ndarray,
    held_out: np.ndarray,
    *,
    seed: int,
) -> keras.Model:
    """The autoencoder with the weights that repeat what is held out best.

    `fitted` and `held_out` are standardized series `[n, length, channels]`.
    """
    keras.utils.set_random_seed(seed)
    whole = _assembled(network, regularizer, *fitted.shape[1:])
    _fit(whole, regularizer, whole.trainable_variables, fitted, held_out, seed=seed)
    return whole


def fine_tuned(
    network: keras.Model,
    regularizer: str,
    fitted: np.ndarray,
    held_out: np.ndarray,
    *,
    seed: int,
) -> keras.Model:
    """A copy whose last block of the encoder and whose decoder trained at a tenth.

    Arguments are as of `trained`; weights that repeat what is held out worse than those
    of the source are not kept.
    """
    keras.utils.set_random_seed(seed)
    whole = keras.models.clone_model(network)
    whole.set_weights(network.get_weights())
    encoder, decoder = _coder(whole)
    # Each by itself: a loaded one was frozen layer by layer.
    for layer in (*encoder.layers, *decoder.layers, encoder, decoder, whole):
        layer.trainable = True
    last = [layer for layer in encoder.layers if layer.trainable_variables][-1]
    variables = [*last.trainable_variables, *decoder.trainable_variables]
    rate = _FINE_TUNING * _LEARNING_RATE
    _fit(whole, regularizer, variables, fitted, held_out, seed=seed, rate=rate)
    return whole


def for_length(network: keras.Model, method: str, length: int) -> keras.Model:
    """The network of a method for series of another length, with the same weights.

    Raises:
        ArtifactError: if its layers are not those of this version.
    """
    _, own, channels = network.input.shape
    if own == length:
        return network
    _, name, regularizer = method.split(":")
    made = _assembled(name, regularizer, length, channels)
    if [w.shape for w in made.weights] != [w.shape for w in network.weights]:
        raise ArtifactError(
            f"The autoencoder has layers of another version, for series of {own} steps,"
            f" and cannot read {length}. Train it again with this version."
        )
    made.set_weights(network.get_weights())
    made.trainable = False
    return made


def _assembled(
    network: str, regularizer: str, length: int, channels: int
) -> keras.Model:
    """The autoencoder with random weights."""
    codes = 2 if regularizer == "variational" else 1
    encoder, decoder = NETWORKS[network](length, channels, codes=codes)
    series = keras.Input((length, channels), name="series")
    code = encoder(series)
    # Of a random code its middle.
    repeated = decoder(code[..., : code.shape[-1] // 2] if codes == 2 else code)
    return keras.Model(series, repeated, name=f"{network}_autoencoder")


def _coder(whole: keras.Model) -> list[keras.Model]:
    """Encoder and decoder of an autoencoder."""
    return [layer for layer in whole.layers if isinstance(layer, keras.Model)]


def _fit(
    whole: keras.Model,
    regularizer: str,
    variables: Sequence[keras.Variable],
    fitted: np.ndarray,
    held_out: np.ndarray,
    *,
    seed: int,
    rate: float = _LEARNING_RATE,
) -> None:
    """Trains some variables, and leaves the weights that repeat series best."""
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)
    def step(batch: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = _loss(whole, regularizer, batch)
        slopes = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(slopes, variables))

    rng = np.random.default_rng(seed)
    judged = held_out if len(held_out) else fitted
    # A new network is never the best: the first look is at one that trained.
    is_new = rate == _LEARNING_RATE
    best = np.inf if is_new else _wrong(whole, judged)
    best_weights, waited = whole.get_weights(), 0
    for done in range(1, _STEPS + 1):
        step(tf.constant(fitted[rng.integers(0, len(fitted), _BATCH)]))
        if done % _EVERY:
            continue
        wrong = _wrong(whole, judged)
        if wrong < best:
            best, best_weights, waited = wrong, whole.get_weights(), 0
        elif (waited := waited + 1) >= _PATIENCE:
            break
    whole.set_weights(best_weights)
    whole.trainable = False


def _wrong(whole: keras.Model, judged: np.ndarray) -> float:
    """The mean square of what is wrong with the repetition."""
    return float(np.square(np.asarray(whole(judged)) - judged).mean())


def _loss(whole: keras.Model, regularizer: str, batch: tf.Tensor) -> tf.Tensor:
    """What is wrong with the repetition, and what the regularizer adds to it."""
    encoder, decoder = _coder(whole)
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
