"""Tensors as bytes, as the binary data extension of the Open Inference Protocol has it.

Numbers are little-endian, in the order of rows; each string follows its length.
"""

from __future__ import annotations

import math
import struct

import numpy as np
import tensorflow as tf

from pipelines.serving.server.errors import invalid

DATATYPES = {
    tf.bool: "BOOL",
    tf.uint8: "UINT8",
    tf.uint16: "UINT16",
    tf.uint32: "UINT32",
    tf.uint64: "UINT64",
    tf.int8: "INT8",
    tf.int16: "INT16",
    tf.int32: "INT32",
    tf.int64: "INT64",
    tf.float16: "FP16",
    tf.bfloat16: "BF16",
    tf.float32: "FP32",
    tf.float64: "FP64",
    tf.string: "BYTES",
}
TYPES = {name: dtype for dtype, name in DATATYPES.items()}
_LENGTH = struct.Struct("<I")


def datatype(array: np.ndarray) -> str:
    """The name of an array's type; of objects, which are bytes, it is BYTES."""
    if array.dtype == object:
        return "BYTES"
    return DATATYPES.get(tf.dtypes.as_dtype(array.dtype), array.dtype.name)


def read(
    name: str, chunk: bytes, dtype: tf.DType, shape: tuple[int, ...]
) -> np.ndarray:
    """The array of an input in its bytes.

    Raises:
        ServingError: if they are more or fewer than the shape takes.
    """
    count = math.prod(shape)
    if dtype == tf.string:
        return _strings(name, chunk, count).reshape(shape)
    kind = np.dtype(dtype.as_numpy_dtype)
    if count * kind.itemsize != len(chunk):
        raise invalid(
            f"Input {name!r} has the shape {list(shape)}, which takes"
            f" {count * kind.itemsize} bytes; {len(chunk)} came."
        )
    if kind == np.bool_ and chunk.strip(b"\x00\x01"):
        raise invalid(f"Input {name!r} has bytes that are neither 0 nor 1.")
    return np.frombuffer(chunk, kind).reshape(shape)


def _strings(name: str, chunk: bytes, count: int) -> np.ndarray:
    if count * _LENGTH.size > len(chunk):
        raise invalid(
            f"Input {name!r} has {count} strings by its shape, and {len(chunk)} bytes."
        )
    array, place = np.empty(count, object), 0
    for number in range(count):
        begin = place + _LENGTH.size
        if begin > len(chunk):
            raise invalid(f"Input {name!r} ends within string {number}.")
        (length,) = _LENGTH.unpack_from(chunk, place)
        place = begin + length
        if place > len(chunk):
            raise invalid(f"Input {name!r} ends within string {number}.")
        array[number] = chunk[begin:place]
    if place != len(chunk):
        raise invalid(f"Input {name!r} has bytes behind its last string.")
    return array


def write(array: np.ndarray) -> bytes:
    """The bytes of an array, as `read` takes them."""
    if array.dtype == object:
        return b"".join(_LENGTH.pack(len(text)) + text for text in array.ravel())
    return np.ascontiguousarray(array).tobytes()
