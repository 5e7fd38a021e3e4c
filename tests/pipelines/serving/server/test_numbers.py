"""A number that does not fit its type is refused, in whatever way it came."""

import base64

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.http import json_examples, json_tensors
from pipelines.serving.server.models import examples, tensors
from pipelines.serving.server.models.signature import TensorInfo

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


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *(("uint8", 256), ("uint8", -1), ("int8", 128), ("int16", 2**15)),
        *(("uint16", -1), ("int32", 2**31), ("uint32", -1), ("uint32", 2**32)),
        *(("int64", 2**63), ("uint64", -1), ("uint8", 1.0), ("int32", float("nan"))),
        *(("bool", 1), ("float32", True), ("uint8", True), ("int64", None)),
    ],
)
def test_json_with_a_number_that_does_not_fit(dtype, value):
    info = TensorInfo(tf.dtypes.as_dtype(dtype), (None,))
    with pytest.raises(ServingError, match="not of expected type") as error:
        json_tensors.array_of([value], info, "x")
    assert (error.value.code, error.value.http_status) == (Code.INVALID_ARGUMENT, 400)


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [NaN], "signature_name": "\\ud800"}',
        b'{"examples": [{"a\\udfff": NaN}]}',
    ],
)
def test_half_of_a_surrogate_pair_beside_a_nan(body):
    with pytest.raises(ServingError, match="JSON Parse error"):
        json_tensors.parse(body)


def test_nan_is_read():
    found = json_tensors.parse(b'{"instances": [NaN, Infinity]}')["instances"]
    assert np.isnan(found[0])
    assert found[1] == float("inf")


def test_json_that_is_far_larger_in_memory():
    body = b'{"instances": [' + b"[]," * 3_200_000 + b"[]]}"
    with pytest.raises(ServingError, match="would take 2[0-9]+ MiB") as error:
        json_tensors.parse(body)
    assert error.value.http_status == 413


def test_pixels_of_a_large_request_are_read():
    row = b"[" + b",".join([b"[255,128,0]"] * 224) + b"]"
    image = b"[" + b",".join([row] * 224) + b"]"
    body = b'{"instances": [' + b",".join([image] * 8) + b"]}"
    assert len(json_tensors.parse(body)["instances"]) == 8


_WORDS = b"good fine " * 12


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (base64.b64encode(_WORDS).decode(), _WORDS),
        (base64.encodebytes(_WORDS).decode(), _WORDS),
        (base64.encodebytes(_WORDS).decode().replace("\n", "\r\n\t "), _WORDS),
        (base64.b64encode(b"good fine").decode().rstrip("="), b"good fine"),
        (base64.b64encode(b"good fine!").decode().rstrip("="), b"good fine!"),
        ("Z 2 9 v Z A = =", b"good"),
        ("", b""),
        (" \n", b""),
    ],
)
def test_base64_as_tensorflow_serving_reads_it(text, content):
    assert json_tensors.decoded(text) == content


@pytest.mark.parametrize(
    "text",
    ["*", "A", "AAAAA", "AA=", "AAA==", "=", "AA==AA==", "A\u00a0AA", "AA-_", "é"],
)
def test_bad_base64_is_refused(text):
    with pytest.raises(ServingError, match="Unable to base64 decode"):
        json_tensors.decoded(text)
