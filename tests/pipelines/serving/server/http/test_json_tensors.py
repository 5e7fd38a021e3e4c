"""Arrays from JSON: numbers that do not fit, costly bodies and base64."""

import base64

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.http import json_tensors
from pipelines.serving.server.models.signature import TensorInfo


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
