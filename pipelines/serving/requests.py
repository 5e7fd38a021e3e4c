"""The requests of a client: what comes in by signature, and how it is read.

A bad example is not valid, and never fails its neighbours.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import keras
import tensorflow as tf

from pipelines.data.images.decode import Reader, readers, resize
from pipelines.data.images.decode_plans import Limits, Plan, plans_of
from pipelines.data.reference import MAXIMUM_MEGAPIXELS
from pipelines.display.text import BLANK
from pipelines.serving.naming import DEFAULT
from pipelines.serving.row_isolation import each_or, place_of_items, sound_rows


@dataclasses.dataclass(frozen=True)
class Request:
    """One way to ask: what comes in, and how it is read.

    `read` gives what the model takes, and which examples are valid, bool `[batch]`.
    """

    input: tf.TensorSpec
    read: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def requests(
    model: keras.Model, *, maximum_megapixels: float = MAXIMUM_MEGAPIXELS
) -> dict[str, Request]:
    """The ways to ask a model by signature; its input is named after its modality.

    Encoded images of more than `maximum_megapixels` are not valid.
    """
    takes = model.input
    if takes.name == "pixels":
        size_px = takes.shape[1]
        return {
            DEFAULT: Request(
                tf.TensorSpec([None], tf.string, name="image_bytes"),
                decoder(size_px, maximum_megapixels),
            ),
            "pixels": Request(
                tf.TensorSpec(takes.shape, tf.uint8, name="pixels"), _as_it_is
            ),
        }
    if takes.name == "text":
        return {DEFAULT: Request(tf.TensorSpec([None], tf.string, name="text"), texts)}
    spec = tf.TensorSpec(takes.shape, tf.float32, name="series")
    return {DEFAULT: Request(spec, series)}


def parse_examples(serialized: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """The feature of serialized `tf.train.Example` named by `spec`, `[batch, ...]`.

    A feature that is missing or of another type or length, or bytes that are not an
    example, become a value that is not valid: the empty string, or NaN.
    """
    feature = tf.io.FixedLenFeature(spec.shape[1:], spec.dtype)
    missing = "" if spec.dtype == tf.string else float("nan")
    blank = tf.fill(spec.shape[1:], tf.constant(missing, spec.dtype))

    def parse(example: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_single_example(example, {spec.name: feature})[spec.name]

    return tf.ensure_shape(each_or(serialized, parse, blank)[:-1], spec.shape)


def texts(text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Texts `[batch]`, empty where they are not valid: blank, or no UTF-8."""
    cleaned = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="ignore")
    valid = tf.equal(cleaned, text) & ~tf.strings.regex_full_match(text, BLANK)
    return tf.where(valid, text, ""), valid


def series(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Series `[batch, steps, channels]`, zeros where they are not valid.

    NaN is a value that is missing. A series without any other value is not valid, nor
    is one with infinity.
    """
    is_missing = tf.math.is_nan(values)
    is_sound = tf.reduce_all(is_missing | tf.math.is_finite(values), axis=[1, 2])
    valid = is_sound & ~tf.reduce_all(is_missing, axis=[1, 2])
    return tf.where(valid[:, None, None], values, 0.0), valid


@functools.lru_cache(maxsize=8)
def decoder(
    size_px: int, maximum_megapixels: float
) -> tf.types.experimental.PolymorphicFunction:
    """`decode_batch` as a function of encoded images alone.

    One for all exports of a process: its graph takes seconds, and has no state.
    """
    return tf.function(
        functools.partial(
            decode_batch, size_px=size_px, maximum_megapixels=maximum_megapixels
        ),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def _as_it_is(pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return pixels, tf.ones(tf.shape(pixels)[:1], tf.bool)


def decode_batch(
    image_bytes: tf.Tensor,
    size_px: int,
    *,
    maximum_megapixels: float = MAXIMUM_MEGAPIXELS,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels, uint8 `[batch, size_px, size_px, 3]`, and whether each image is valid.

    A bad image becomes black pixels.
    """
    limits = Limits(maximum_megapixels, size_px)
    rows, plans = plans_of(image_bytes, limits, jpeg_shapes=_jpeg_shapes)
    count, blank = tf.size(image_bytes), _black(1, size_px)
    numbers, batches = [count[tf.newaxis]], [blank]
    for number, reader in enumerate(readers()):
        mine = tf.where((plans.reader == number) & (plans.refusal == 0))[:, 0]
        # One kind after the other, so that few are read at once.
        with tf.control_dependencies(batches[-1:]):
            places, pixels = tf.cond(
                tf.size(mine) > 0,
                functools.partial(_read, rows, plans, mine, reader, (count, blank[0])),
                lambda: (count[tf.newaxis], blank),
            )
        numbers.append(places)
        batches.append(pixels)
    row_of = place_of_items(tf.concat(numbers, axis=0), count)[:-1]
    pixels = tf.gather(tf.concat(batches, axis=0), row_of)
    return tf.ensure_shape(pixels, [None, size_px, size_px, 3]), row_of > 0


def _jpeg_shapes(encoded: tf.Tensor) -> tf.Tensor:
    """Height, width and channels of JPEG `[n]`, int32 `[n, 3]`; zeros of a bad one."""
    none = tf.zeros([3], tf.int32)
    return tf.cond(
        tf.size(encoded) > 0,
        lambda: each_or(encoded, tf.image.extract_jpeg_shape, none)[:-1],
        lambda: tf.zeros([0, 3], tf.int32),
    )


def _black(count: int, size_px: int) -> tf.Tensor:
    return tf.zeros([count, size_px, size_px, 3], tf.uint8)


def _read(
    rows: tf.Tensor,
    plans: Plan,
    mine: tf.Tensor,
    reader: Reader,
    otherwise: tuple[tf.Tensor, tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor]:
    """The rows of my plans whose images are not damaged, and their pixels."""
    size_px = otherwise[1].shape[0]

    def pixels_of(encoded: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
        return resize(reader(encoded, orientation), size_px)

    asked = (rows, plans.encoded, plans.orientation)
    return sound_rows([tf.gather(x, mine) for x in asked], pixels_of, otherwise)
