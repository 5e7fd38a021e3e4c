"""Every data set that a run reads ends without waiting for TensorFlow's tuner."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import batches, training_batches, view_batches
from pipelines.data.readers.record_stream import worker_records
from pipelines.data.splits import ImageArray, Split

SPLIT = Split(
    "train", ImageArray(np.zeros((6, 4, 4, 3), np.uint8)), np.zeros(6, np.int64)
)
HOW = {"input_size_px": 4, "batch_size": 2}


def _records(folder) -> tf.data.Dataset:
    path = str(folder / "some.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"one")
    return worker_records([path], worker=0, workers=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: batches(SPLIT, **HOW),
        lambda _: batches(SPLIT, **HOW).concatenate(batches(SPLIT, **HOW)),
        lambda _: training_batches(SPLIT, seed=0, **HOW),
        lambda _: training_batches(SPLIT, seed=0, augmentation=Augmentation(), **HOW),
        lambda _: view_batches(SPLIT, Augmentation(), view=1, seed=0, **HOW),
        _records,
    ],
    ids=["in order", "two splits", "training", "augmented", "views", "records"],
)
def test_no_tuner_runs(tmp_path, make):
    dataset = make(tmp_path)
    assert dataset.options().autotune.enabled is False
    assert dataset.map(lambda *one: one).options().autotune.enabled is False
    assert next(iter(dataset)) is not None
