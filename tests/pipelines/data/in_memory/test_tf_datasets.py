"""Data sets of TensorFlow and of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.in_memory.tf_datasets import of_dataset
from pipelines.errors import DataError

X = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
Y = np.array([0, 1, 0, 1, 0, 1])


def slices(*columns):
    return tf.data.Dataset.from_tensor_slices(columns)


@pytest.mark.parametrize(
    "data",
    [
        slices(X, Y),
        slices(X, Y).batch(4),
        slices(X.astype(np.float32), Y).batch(4),
        slices(X, Y, np.ones(6)).batch(5),
        slices(X, [b"b", b"a"] * 3),
    ],
)
def test_data_sets_are_read_in_order(data):
    passed = of_dataset(data)
    assert passed.x.dtype == np.uint8
    assert np.array_equal(passed.x, X)
    assert len(passed.y) == 6


def test_texts_and_series_are_read_too():
    texts = of_dataset(slices(["so", "la"], [0, 1]).batch(2))
    assert texts.x.tolist() == ["so", "la"]
    series = of_dataset(slices(np.zeros((4, 9), np.float32), [0, 1, 0, 1]))
    assert series.x.shape == (4, 9)


def test_files_that_keras_lists_are_read_themselves(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("RGB", (9, 7), (i, 0, 0)).save(tmp_path / name / f"{i}.png")
    data = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(4, 4), verbose=False, seed=0
    )
    passed = of_dataset(data)
    assert sorted(passed.x.paths) == sorted(data.file_paths)
    assert [path.split("/")[-2] for path in passed.x.paths] == passed.y.tolist()
    assert "at their own size" in passed.notes[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (slices(X, Y).repeat(), "never ends"),
        (slices(X), r"need to be \(x, y\)"),
        (slices(X, Y).take(0), "is empty"),
        (slices(X / 255, Y), "what white is has to be said"),
        (
            slices(np.zeros((4, 9, 2), np.float32), np.eye(4, 2)),
            "cannot be seen whether",
        ),
        (
            tf.data.Dataset.from_generator(
                lambda: ((np.zeros((n, 4, 3), np.uint8), 0) for n in (4, 5)),
                output_signature=(
                    tf.TensorSpec((None, 4, 3), tf.uint8),
                    tf.TensorSpec((), tf.int64),
                ),
            ),
            "arrays of several sizes",
        ),
    ],
)
def test_other_data_sets_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        of_dataset(data)
