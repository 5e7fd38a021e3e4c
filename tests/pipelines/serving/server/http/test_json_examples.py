"""Examples in JSON become `tf.train.Example`, with the context behind each."""

import pytest
import tensorflow as tf

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.http import json_examples


def test_features_have_the_kind_of_their_values():
    (serialized,) = json_examples.serialized(
        {
            "context": {"n": 1, "x": 0.5},
            "examples": [{"x": [1.0, 2.5], "s": "é", "b": {"b64": "/w=="}, "t": True}],
        }
    )
    features = tf.train.Example.FromString(serialized).features.feature
    assert features["n"].int64_list.value == [1]
    assert features["t"].int64_list.value == [1]
    assert features["x"].float_list.value == [1.0, 2.5]
    assert features["s"].bytes_list.value == ["é".encode()]
    assert features["b"].bytes_list.value == [b"\xff"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "at least one example"),
        ({"examples": []}, "at least one example"),
        ({"examples": [1]}, "must be JSON object"),
        ({"examples": [{}], "context": 1}, "'context' must be an object"),
        ({"examples": [{"x": [1, "a"]}]}, r"different kinds: \['bytes', 'int64'\]"),
        ({"examples": [{"x": None}]}, "no feature can have"),
        ({"examples": [{"x": 2**63}]}, "no feature can have"),
    ],
)
def test_other_examples_are_refused(request_, message):
    with pytest.raises(ServingError, match=message):
        json_examples.serialized(request_)
