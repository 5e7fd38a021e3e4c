"""The signatures of an artifact: what a client sends, and what comes back.

Everything between is in the graph: decoding, resizing, preprocessing, labels. A bad
image gets `valid = false` and never fails its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from pipelines.data.images import decode_and_resize

Outputs = dict[str, tf.Tensor]


def image_signatures(
    model: keras.Model,
    features: keras.Model,
    *,
    class_names: Sequence[str],
    input_size_px: int,
    temperature: float,
    confidence_threshold: float,
) -> dict[str, Callable[..., Outputs]]:
    """The signatures of an image classifier by name, as concrete TensorFlow functions.

    `model` gives logits and `features` feature vectors for uint8 pixels
    `[batch, input_size_px, input_size_px, 3]`.
    """
    encoded = {"image_bytes": tf.TensorSpec([None], tf.string, name="image_bytes")}
    shape = [None, input_size_px, input_size_px, 3]
    decoded = {"pixels": tf.TensorSpec(shape, tf.uint8, name="pixels")}

    def classify(pixels: tf.Tensor, valid: tf.Tensor) -> Outputs:
        logits = run_on_batch(model, pixels)
        probabilities = tf.nn.softmax(logits / temperature)
        # A bad image has no class: zeros, not a guess about the blank in its place.
        probabilities = tf.where(valid[:, None], probabilities, 0.0)
        confidence = tf.reduce_max(probabilities, axis=1)
        names = tf.gather(tf.constant(class_names), tf.argmax(probabilities, axis=1))
        return {
            "probabilities": probabilities,
            "label": tf.where(valid, names, ""),
            "confidence": confidence,
            "accepted": valid & (confidence >= confidence_threshold),
            "valid": valid,
        }

    @tf.function(input_signature=[encoded])
    def serving_default(inputs):
        return classify(*decode_batch(inputs["image_bytes"], input_size_px))

    @tf.function(input_signature=[decoded])
    def pixels(inputs):
        batch = inputs["pixels"]
        return classify(batch, tf.ones(tf.shape(batch)[:1], tf.bool))

    @tf.function(input_signature=[encoded])
    def feature_vectors(inputs):
        batch, valid = decode_batch(inputs["image_bytes"], input_size_px)
        vectors = run_on_batch(features, batch)
        return {"features": tf.where(valid[:, None], vectors, 0.0)}

    return {
        "serving_default": serving_default,
        "pixels": pixels,
        "features": feature_vectors,
    }


def run_on_batch(model: keras.Model, pixels: tf.Tensor) -> tf.Tensor:
    """What the model gives in inference mode, float32, for a batch of any size.

    Some kernels fail on an empty batch, so that gets a row which is cut off again.
    """
    count = tf.shape(pixels)[0]
    filled = tf.cond(
        count > 0, lambda: pixels, lambda: tf.zeros([1, *pixels.shape[1:]], tf.uint8)
    )
    filled = tf.ensure_shape(filled, pixels.shape)
    # REST clients cannot read bfloat16 and float16.
    return tf.cast(model(filled, training=False), tf.float32)[:count]


def decode_batch(image_bytes: tf.Tensor, size_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels, uint8 `[batch, size_px, size_px, 3]`, and whether each image is valid.

    A bad image becomes black pixels. `tf.data` is what isolates it: an error inside a
    data set ends one element, an error in a plain op ends the request.
    """
    blank = tf.zeros([size_px, size_px, 3], tf.uint8)

    def decode_or_blank(encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        decoded = tf.data.Dataset.from_tensors(encoded).map(
            lambda one: (decode_and_resize(one, size_px), True)
        )
        fallback = tf.data.Dataset.from_tensors((blank, False))
        either = decoded.ignore_errors().concatenate(fallback)
        return either.take(1).get_single_element()

    # One blank at the end, cut off again, because an empty data set has no batch.
    count = tf.size(image_bytes, out_type=tf.int64)
    rows = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .map(decode_or_blank, num_parallel_calls=tf.data.AUTOTUNE)
        .concatenate(tf.data.Dataset.from_tensors((blank, False)))
        .batch(count + 1)
    )
    pixels, valid = rows.get_single_element()
    pixels = tf.ensure_shape(pixels[:-1], [None, size_px, size_px, 3])
    return pixels, tf.ensure_shape(valid[:-1], [None])
