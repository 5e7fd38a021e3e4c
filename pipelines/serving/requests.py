"""The requests of a client: what comes in by signature, and how it is read.

A bad example is not valid, and never fails its neighbours.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import tensorflow as tf

from pipelines.data.images.decode import Reader, readers, resize
from pipelines.data.images.decode_plans import Limits, Plan, plans_of
from pipelines.data.reference import MAXIMUM_MEGAPIXELS
from pipelines.display.text import BLANK, input_name
from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.naming import DEFAULT, TABLE
from pipelines.serving.row_isolation import each_or, place_of_items, sound_rows
from zoo.graph.columns import codes_of, columns_of
from zoo.sounds.decode import WaveHeaders, headers, is_finite
from zoo.spec import Column


@dataclasses.dataclass(frozen=True)
class Request:
    """One way to ask: what comes in, and how it is read.

    `inputs` are by name: one, or a column of a table each. `read` takes their tensors
    in this order; it gives what the model takes, and which examples are valid, bool
    `[batch]`.
    """

    inputs: Mapping[str, tf.TensorSpec]
    read: Callable[..., tuple[tf.Tensor, tf.Tensor]]


def _of_one(
    spec: tf.TensorSpec, read: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
) -> Request:
    return Request({spec.name: spec}, read)


def requests(
    model: keras.Model, *, maximum_megapixels: float = MAXIMUM_MEGAPIXELS
) -> dict[str, Request]:
    """The ways to ask a model by signature; its input is named after its modality.

    A table has an input for each column, named after it, and one more signature,
    `table` for rows as training reads them.

    Encoded images of more than `maximum_megapixels` are not valid.
    """
    takes = model.input
    if takes.name == "pixels":
        size_px = takes.shape[1]
        return {
            DEFAULT: _of_one(
                tf.TensorSpec([None], tf.string, name="image_bytes"),
                decoder(size_px, maximum_megapixels),
            ),
            "pixels": _of_one(
                tf.TensorSpec(takes.shape, tf.uint8, name="pixels"), _as_it_is
            ),
        }
    if takes.name == "text":
        spec = tf.TensorSpec([None], tf.string, name="text")
        return {DEFAULT: _of_one(spec, texts)}
    if takes.name == "sound_bytes":
        spec = tf.TensorSpec([None], tf.string, name=takes.name)
        return {DEFAULT: _of_one(spec, sounds)}
    if takes.name == TABLE:
        columns = columns_of(model)
        return {
            DEFAULT: Request(column_specs(columns), functools.partial(rows, columns)),
            TABLE: _of_one(tf.TensorSpec(takes.shape, tf.float32, name=TABLE), coded),
        }
    spec = tf.TensorSpec(takes.shape, tf.float32, name="series")
    return {DEFAULT: _of_one(spec, series)}


def long_series(model: keras.Model, answers: GraphAnswers) -> tf.TensorSpec | None:
    """What is answered in windows, `[None, None, channels]`; None if nothing is."""
    if answers.stream is None:
        return None
    (way, *_) = requests(model).values()
    (spec, *_) = way.inputs.values()
    if spec.name != "series":
        return None
    return tf.TensorSpec([None, None, spec.shape[2]], spec.dtype, name=spec.name)


def parse_examples(
    serialized: tf.Tensor, specs: Iterable[tf.TensorSpec]
) -> list[tf.Tensor]:
    """The features of serialized `tf.train.Example` named by `specs`, `[batch, ...]`.

    A feature that is missing or of another type or length, or bytes that are not an
    example, become a value that is not valid: the empty string, or NaN. Of a table,
    that is a missing value.
    """
    return [_parsed(serialized, spec) for spec in specs]


def _parsed(serialized: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
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


def sounds(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """WAV files `[batch]`, empty where they are not valid."""
    parts = headers(content)
    finite = tf.map_fn(
        lambda row: is_finite(row[0], WaveHeaders(*row[1:])),
        (content, *parts),
        fn_output_signature=tf.bool,
    )
    valid = parts.valid & finite
    return tf.where(valid, content, ""), valid


def series(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Series `[batch, steps, channels]`, zeros where they are not valid.

    NaN is a value that is missing. A series without any other value is not valid, nor
    is one with infinity.
    """
    is_missing = tf.math.is_nan(values)
    is_sound = tf.reduce_all(is_missing | tf.math.is_finite(values), axis=[1, 2])
    valid = is_sound & ~tf.reduce_all(is_missing, axis=[1, 2])
    return tf.where(valid[:, None, None], values, 0.0), valid


def column_specs(columns: Sequence[Column]) -> dict[str, tf.TensorSpec]:
    """The inputs for the columns of a table, by name: float32 or string, `[batch]`."""
    specs = {}
    for column in columns:
        name = input_name(column.name)
        dtype = tf.float32 if column.is_number else tf.string
        specs[name] = tf.TensorSpec([None], dtype, name=name)
    return specs


def rows(columns: Sequence[Column], *cells: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows `[batch, columns]` of the cells `[batch]` of each column; see `coded`."""
    values = [
        cell if column.categories is None else codes_of(cell, column.categories)
        for column, cell in zip(columns, cells)
    ]
    return coded(tf.stack(values, axis=1))


def coded(table: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Rows of a table as training reads them, zeros where they are not valid.

    NaN is a missing value. A row without any other is not valid, nor is one with
    infinity.
    """
    is_missing = tf.math.is_nan(table)
    is_sound = tf.reduce_all(is_missing | tf.math.is_finite(table), axis=1)
    valid = is_sound & ~tf.reduce_all(is_missing, axis=1)
    return tf.where(valid[:, None], table, 0.0), valid


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
