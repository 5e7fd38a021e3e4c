"""Examples as clients send them, with one that nothing can read."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.splits import ImageArray, Series, Split, Table, Texts
from pipelines.stages.proof.examples import (
    as_sent,
    as_serialized,
    bad_example,
    behind,
    names_of,
)
from zoo.spec import Column

LABELS = np.arange(3) % 2


def test_images_are_sent_as_png_without_loss():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    images = Split("test", ImageArray(pixels), LABELS)
    sent = as_sent(images, "image_bytes")["image_bytes"]
    for encoded, image in zip(sent, pixels, strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(encoded), image)
    assert bad_example(images, "x")["x"].tolist() == [b"not an image"]
    assert names_of(images)[2] == "example 2 of the test split"


def test_bad_texts_are_not_utf_8():
    texts = np.array([b"a", b"b", b"c"], object)
    split = Split("test", Texts(texts), LABELS)
    assert as_sent(split, "text")["text"].tolist() == texts.tolist()
    (bad,) = bad_example(split, "text")["text"]
    with pytest.raises(UnicodeDecodeError):
        bad.decode()
    example = tf.train.Example.FromString(as_serialized({"text": texts})[1])
    assert example.features.feature["text"].bytes_list.value[:] == [b"b"]


def test_bad_series_are_not_numbers():
    split = Split("test", Series(np.ones((3, 4, 1), np.float32)), LABELS)
    assert np.isnan(bad_example(split, "series")["series"]).all()
    assert as_sent(split, "series")["series"].shape == (3, 4, 1)


def test_rows_are_sent_by_column():
    columns = (Column("job title", ("cook", "pilot")), Column("age"))
    values = np.array([[1, 30], [0, 40], [np.nan, np.nan]], np.float32)
    split = Split("test", Table(columns, values), LABELS)
    sent = behind([bad_example(split, ""), as_sent(split, "")])
    assert sent["job_title"].tolist() == [b"", b"cook", b"other than pilot", b""]
    np.testing.assert_array_equal(sent["age"], [np.nan, 30, 40, np.nan])
