"""Tensors in messages: numbers that do not fit, and sizes that lie, are refused."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.http import json_examples
from pipelines.serving.server.models import examples, tensors

_FIELDS = {"bfloat16": "half_val", "float16": "half_val"}


def proto(dtype, dims, **values):
    made = tf.make_tensor_proto([], tf.float32)
    made.Clear()
    made.dtype = tf.dtypes.as_dtype(dtype).as_datatype_enum
    for size in dims:
        made.tensor_shape.dim.add(size=size)
    for name, value in values.items():
        if isinstance(value, bytes):
            setattr(made, name, value)
        else:
            getattr(made, name).extend(value)
    return made


def read(made, max_bytes=1000):
    return tensors.read("x", made, max_bytes=max_bytes)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *(("uint8", 256), ("uint8", -1), ("int8", 128), ("int8", -129)),
        *(("uint16", 65_536), ("uint16", -1), ("int16", 32_768), ("int16", -32_769)),
        *(("float16", 65_536), ("float16", 70_000), ("float16", -1)),
        *(("bfloat16", 65_536), ("bfloat16", -1)),
    ],
)
def test_tensor_with_oversized_number_is_refused(dtype, value):
    with pytest.raises(ServingError, match=f"{value} is not in") as error:
        read(proto(dtype, [2], **{_FIELDS.get(dtype, "int_val"): [0, value]}))
    assert error.value.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        *(("uint8", [0, 255]), ("int8", [-128, 127]), ("uint16", [0, 65_535])),
        ("int16", [-32_768, 32_767]),
    ],
)
def test_a_tensor_with_the_largest_numbers(dtype, values):
    found = read(proto(dtype, [2], int_val=values))
    assert found.dtype == dtype
    assert found.tolist() == values


def test_halves_are_their_bits():
    found = read(proto("float16", [3], half_val=[0x3C00, 0x7C00, 0xFFFF]))
    assert found.dtype == np.float16
    assert found[:2].tolist() == [1.0, float("inf")]
    assert np.isnan(found[2])
    assert read(proto("bfloat16", [1], half_val=[0x3F80])).dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (proto("bool", [2], tensor_content=b"\x01\x02"), "neither false"),
        (proto("string", [2], tensor_content=b"ab"), "does not hold 2 values"),
        # Nothing of it is in memory, and sizes overflow in the ops behind.
        (proto("float32", [0, 2**40, 2**40]), "more than the 1000 bytes"),
        # One string that stands for many.
        (proto("string", [100], string_val=[b"x" * 100]), "more than the 1000 bytes"),
        (proto("uint8", [3], int_val=[1, 2, 3, 4]), "does not hold 3 values"),
    ],
)
def test_a_tensor_that_is_more_than_it_seems(made, says):
    with pytest.raises(ServingError, match=says) as error:
        read(made)
    assert error.value.code == Code.INVALID_ARGUMENT


def test_one_string_may_stand_for_a_few():
    found = read(proto("string", [3], string_val=[b"a", b"b"]))
    assert found.tolist() == [b"a", b"b", b"b"]


def test_more_examples_than_can_be_answered():
    with pytest.raises(ServingError, match="40000 examples, and may have 32768"):
        read(proto("string", [40_000], string_val=[b""]), max_bytes=10**6)
    with pytest.raises(ServingError, match="may have 32768") as error:
        json_examples.serialized({"examples": [{}] * 40_000})
    assert error.value.http_status == 413
    given = input_pb2.Input()
    given.example_list.examples.extend([tf.train.Example()] * 40_000)
    with pytest.raises(ServingError, match="may have 32768"):
        examples.serialized(given)
