"""`TensorProto` to arrays and back; what does not add up is refused unallocated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.serving.server.errors import invalid, refuse_too_many

_MAXIMUM_RANK = 32


def read(name: str, proto: Any, *, max_bytes: int) -> np.ndarray:
    """The array in a `TensorProto`.

    One value may stand for many, so the shape decides about memory, not the message.

    Raises:
        ServingError: if shape, type and values do not fit each other.
    """
    dims = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(dim < 0 for dim in dims):
        raise invalid(f"input {name!r} has the shape {dims}; sizes must be known.")
    if len(dims) > _MAXIMUM_RANK:
        raise invalid(f"input {name!r} has more than {_MAXIMUM_RANK} dimensions.")
    try:
        dtype = tf.dtypes.as_dtype(proto.dtype)
        item_bytes = 8 if dtype == tf.string else dtype.size
    except TypeError as error:
        raise invalid(f"input {name!r} has no type that is known.") from error
    # An empty tensor with huge sizes beside the 0 overflows in the ops behind.
    largest = math.prod(dim or 1 for dim in dims) * item_bytes
    if max(largest, _string_bytes(proto, math.prod(dims))) > max_bytes:
        raise invalid(
            f"input {name!r} has the shape {dims}, which is more than the"
            f" {max_bytes} bytes that a request may have."
        )
    if dtype == tf.string:
        refuse_too_many(math.prod(dims))
    try:
        _refuse_out_of_range(proto, dtype)
        array = tf.make_ndarray(proto).reshape(dims)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise invalid(
            f"input {name!r} does not hold {math.prod(dims)} values of {dtype.name}:"
            f" {error}"
        ) from error
    if dtype.is_bool and array.size and array.view(np.uint8).max() > 1:
        raise invalid(f"input {name!r} has bytes that are neither false (0) nor true.")
    return array


def _string_bytes(proto: Any, count: int) -> int:
    """The bytes of all strings; the last may stand for many."""
    if not proto.string_val:
        return 0
    # Each time that a string is looked at, it is copied.
    lengths = [len(string) for string in proto.string_val]
    return sum(lengths) + max(0, count - len(lengths)) * lengths[-1]


def _refuse_out_of_range(proto: Any, dtype: tf.DType) -> None:
    """Raises `ValueError` if a number does not fit the type.

    Small types travel in fields of 32 bits, and halves as their 16 bits.
    """
    if dtype in (tf.float16, tf.bfloat16):
        values, low, high = proto.half_val, 0, 2**16 - 1
    elif dtype.is_integer and dtype.size < 4:
        values, low, high = proto.int_val, int(dtype.min), int(dtype.max)
    else:
        return
    for value in (min(values), max(values)) if values else ():
        if not low <= value <= high:
            raise ValueError(f"{value} is not in {low}..{high}")


def write(array: np.ndarray) -> Any:
    """The `TensorProto` of an array."""
    return tf.make_tensor_proto(array)
