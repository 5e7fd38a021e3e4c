"""Answers in JSON: rows, columns, bytes, and numbers that JSON lacks."""

import json

import numpy as np
import pytest

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.http import json_answers


def test_single_output_is_written_without_its_name():
    outputs = {"y": np.array([1.5, 2.0], np.float32)}
    assert json.loads(json_answers.write_rows(outputs)) == {"predictions": [1.5, 2.0]}
    assert json.loads(json_answers.write_columns(outputs)) == {"outputs": [1.5, 2.0]}


def test_several_outputs_are_objects():
    outputs = {"a": np.array([1, 2]), "b": np.array([[3], [4]])}
    rows = json.loads(json_answers.write_rows(outputs))
    assert rows == {"predictions": [{"a": 1, "b": [3]}, {"a": 2, "b": [4]}]}
    columns = json.loads(json_answers.write_columns(outputs))
    assert columns == {"outputs": {"a": [1, 2], "b": [[3], [4]]}}


def test_bytes_are_base64_where_the_name_says_so():
    raw = {"out_bytes": np.array([b"\xff"], object)}
    assert json.loads(json_answers.write_rows(raw)) == {
        "predictions": [{"b64": "/w=="}]
    }
    text = {"out": np.array(["é".encode()], object)}
    assert json.loads(json_answers.write_rows(text)) == {"predictions": ["é"]}
    with pytest.raises(ServingError, match="not UTF-8"):
        json_answers.write_rows({"out": np.array([b"\xff"], object)})


def test_nan_and_infinity_are_written():
    outputs = {"y": np.array([np.nan, np.inf, 0.1], np.float32)}
    written = json_answers.write_rows(outputs)
    assert written == b'{"predictions": [NaN, Infinity, 0.1]}'


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"y": np.float32(1)}, "no common number of rows"),
        ({"a": np.zeros(1), "b": np.zeros(2)}, "no common number of rows"),
        ({"y": np.zeros(1, np.float16)}, "type: float16"),
    ],
)
def test_outputs_that_json_cannot_hold_are_refused(outputs, message):
    with pytest.raises(ServingError, match=message):
        json_answers.write_rows(
            {name: np.asarray(value) for name, value in outputs.items()}
        )
