"""Requests of the protocol as they are read; tests/conformance asks a server."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.http.open_inference import (
    Request,
    parse,
    read_inputs,
    server,
)
from pipelines.serving.server.models.signature import Signature, TensorInfo

SIGNATURE = Signature(
    "serving_default",
    "predict",
    {"x": TensorInfo(tf.float32, (None,)), "image": TensorInfo(tf.string, (None,))},
    {},
)


def test_server_says_who_it_is():
    assert server().startswith(b'{"name":"zootune"')


def test_header_ends_the_json():
    assert parse(b'{"a": 1}\x01\x02', "8") == Request({"a": 1}, b"\x01\x02")
    assert parse(b'{"a": 1}', None) == Request({"a": 1})
    with pytest.raises(ServingError, match="the body has 2 bytes"):
        parse(b"{}", "3")


def test_tensors_are_read_in_their_order():
    values = {
        "inputs": [
            {
                "name": "image",
                "datatype": "BYTES",
                "shape": [1],
                "parameters": {"binary_data_size": 6},
            },
            {
                "name": "x",
                "datatype": "FP32",
                "shape": [1],
                "parameters": {"binary_data_size": 4},
            },
        ]
    }
    binary = b"\x02\0\0\0ab" + np.float32(1.5).tobytes()
    inputs = read_inputs(Request(values, binary), SIGNATURE)
    assert inputs["image"].tolist() == [b"ab"]
    assert inputs["x"].tolist() == [1.5]
    with pytest.raises(ServingError, match="1 bytes are behind those of all inputs"):
        read_inputs(Request(values, binary + b"\0"), SIGNATURE)
