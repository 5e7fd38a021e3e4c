"""The bytes of encoded images that stay on disk, in Python and inside of tf.data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.data.packed_strings import Strings
from pipelines.data.splits import (
    EncodedImages,
    ImageArray,
    ImageFiles,
    ImageRecords,
    Inputs,
    Sounds,
    Texts,
)
from pipelines.display.text import shown
from pipelines.errors import DataError

_PAGE = 32


def reader_of(images: EncodedImages) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from the index of an image to its bytes, for `tf.data.Dataset.map`."""
    if isinstance(images, ImageFiles):
        return _file_reader(Strings.of(images.paths))
    return _record_reader(images)


def _file_reader(paths: Strings) -> Callable[[tf.Tensor], tf.Tensor]:
    # A few paths in each string of a tensor: one string for each would take twice the
    # memory. Eager tensors, captured by the function: anything else would become a
    # constant in every graph.
    pages = [paths[first : first + _PAGE] for first in range(0, len(paths), _PAGE)]
    with tf.device("CPU:0"):
        texts = tf.constant([bytes(page.compact().block) for page in pages], tf.string)
        starts = tf.constant(np.concatenate([page.compact().start for page in pages]))
        lengths = tf.constant(paths.length)

    def read(i: tf.Tensor) -> tf.Tensor:
        page = tf.gather(texts, i // _PAGE)
        start, length = tf.gather(starts, i), tf.gather(lengths, i)
        return tf.io.read_file(
            tf.strings.substr(page, tf.cast(start, tf.int32), length)
        )

    return read


def _record_reader(images: ImageRecords) -> Callable[[tf.Tensor], tf.Tensor]:
    def content(i: np.ndarray) -> bytes:
        return record_bytes(images, int(i))

    def read(i: tf.Tensor) -> tf.Tensor:
        # Stateful: without that, TensorFlow may read an image once and keep it.
        return tf.ensure_shape(tf.numpy_function(content, [i], tf.string), [])

    return read


def sent_bytes(inputs: Inputs, i: int) -> bytes:
    """Example `i` as a client sends it: a file, a text, or pixels as PNG.

    PNG loses nothing.

    Raises:
        DataError: if it cannot be read.
        ValueError: for series and tables, which are not sent as bytes.
    """
    match inputs:
        case ImageFiles() | ImageRecords():
            return encoded_bytes(inputs, i)
        case ImageArray() as images:
            return tf.io.encode_png(images[i]).numpy()
        case Texts(values) | Sounds(values):
            return values[i]
    raise ValueError(f"{inputs.modality} examples are not sent as bytes.")


def encoded_bytes(images: EncodedImages, i: int) -> bytes:
    """The bytes of one image, in a file of its own or in records.

    Raises:
        DataError: if they cannot be read.
    """
    if isinstance(images, ImageRecords):
        return record_bytes(images, i)
    try:
        return Path(images.paths[i]).read_bytes()
    except OSError as error:
        raise DataError(
            f"{images.where(i)} cannot be read: {error.strerror}."
        ) from error


def record_bytes(images: ImageRecords, i: int) -> bytes:
    """The bytes of one image in a record file.

    Raises:
        DataError: if the file is gone, or is shorter than when it was read first.
    """
    shard, length = images.shards[images.shard[i]], int(images.length[i])
    try:
        descriptor = os.open(shard, os.O_RDONLY)
        try:
            content = os.pread(descriptor, length, int(images.start[i]))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(
            f"{images.where(i)} cannot be read: {error.strerror}."
        ) from None
    if len(content) < length:
        raise DataError(
            f"{images.where(i)} ends early: {shown(shard)} has changed since it was"
            " indexed. Start again."
        )
    return content
