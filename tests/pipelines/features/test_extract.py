"""What a network gives for a data set: in order, in inference mode, in little room."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.features.extract import Reader, extract, size_bytes


@pytest.fixture
def network():
    """Doubles numbers, with what only training would do, and counts them up."""
    x = keras.Input((2,))
    doubled = keras.layers.Dropout(0.9)(keras.layers.Rescaling(2.0)(x))
    return keras.Model(x, [doubled, keras.layers.Rescaling(1.0, offset=1.0)(x)])


def _batches(rows, size=3):
    labels = np.zeros(len(rows), np.int64)
    return tf.data.Dataset.from_tensor_slices((rows, labels)).batch(size)


ROWS = np.arange(14, dtype=np.float32).reshape(7, 2)


def test_every_example_is_read_once_and_in_order(network):
    doubled, more = extract(network, _batches(ROWS))
    np.testing.assert_array_equal(doubled, 2 * ROWS)
    np.testing.assert_array_equal(more, ROWS + 1)
    assert doubled.dtype == np.float32


def test_extract_reports_its_progress(network):
    done = []
    extract(network, _batches(ROWS), on_progress=done.append)
    assert done == [3, 6, 7]


def test_extract_returns_only_selected_outputs(network):
    (more,) = Reader(network).extract(_batches(ROWS), only=[1])
    np.testing.assert_array_equal(more, ROWS + 1)


def test_extract_keeps_large_values_as_float32(network):
    halves, _ = extract(network, _batches(ROWS), dtype=np.float16)
    assert halves.dtype == np.float16
    large, _ = extract(network, _batches(ROWS * 1e5), dtype=np.float16)
    assert large.dtype == np.float32
    np.testing.assert_array_equal(large, ROWS * 2e5)


def test_extract_keeps_ids_as_integers():
    ids = keras.Input((2,), dtype="int32")
    network = keras.Model(ids, keras.layers.Identity()(ids))
    (read,) = extract(network, _batches(ROWS.astype(np.int32)), dtype=np.float16)
    assert read.dtype == np.int32


def test_size_bytes_equals_the_extracted_size(network):
    assert size_bytes(network, 7) == sum(
        array.nbytes for array in extract(network, _batches(ROWS))
    )
