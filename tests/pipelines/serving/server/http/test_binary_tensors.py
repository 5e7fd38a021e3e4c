"""Tensors as bytes and back, and bytes that do not fit; see tests/conformance too."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.http.binary_tensors import (
    TYPES,
    datatype,
    read,
    write,
)


@pytest.mark.parametrize("name", sorted(set(TYPES) - {"BYTES"}))
def test_every_number_comes_back(name):
    dtype = TYPES[name]
    array = np.array([[0, 1], [1, 0]]).astype(dtype.as_numpy_dtype)
    again = read("x", write(array), dtype, (2, 2))
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)
    assert datatype(array) == name


def test_strings_come_back():
    array = np.array([[b"a", b""], [b"\xff\0", b"abc"]], object)
    again = read("x", write(array), tf.string, (2, 2))
    assert again.tolist() == array.tolist()
    assert datatype(array) == "BYTES"


def test_bytes_of_another_shape_are_refused():
    with pytest.raises(ServingError, match="which takes 12 bytes; 8 came"):
        read("x", b"\0" * 8, tf.float32, (3,))
