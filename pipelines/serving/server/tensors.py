"""`TensorProto` to arrays and back; what does not add up is refused unallocated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.serving.server.errors import invalid

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
    count = math.prod(dims)
    if count * item_bytes > max_bytes:
        raise invalid(
            f"input {name!r} has the shape {dims}, which is more than the"
            f" {max_bytes} bytes that a request may have."
        )
    try:
        return tf.make_ndarray(proto).reshape(dims)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise invalid(
            f"input {name!r} does not hold {count} values of {dtype.name}: {error}"
        ) from error


def write(array: np.ndarray) -> Any:
    """The `TensorProto` of an array."""
    return tf.make_tensor_proto(array)
