"""Examples as clients send them, with one that nothing can read."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.splits import ImageArray, Series, Split, Texts
from pipelines.stages.proof.examples import (
    as_sent,
    as_serialized,
    bad_example,
    names_of,
)

LABELS = np.arange(3) % 2


def test_images_are_sent_as_png_without_loss():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    images = Split("test", ImageArray(pixels), LABELS)
    sent = as_sent(images)
    for encoded, image in zip(sent, pixels, strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(encoded), image)
    assert bad_example(images).tolist() == [b"not an image"]
    assert names_of(images)[2] == "example 2 of the test split"


def test_bad_texts_are_not_utf_8():
    texts = np.array([b"a", b"b", b"c"], object)
    split = Split("test", Texts(texts), LABELS)
    assert as_sent(split).tolist() == texts.tolist()
    (bad,) = bad_example(split)
    with pytest.raises(UnicodeDecodeError):
        bad.decode()
    example = tf.train.Example.FromString(as_serialized("text", texts)[1])
    assert example.features.feature["text"].bytes_list.value[:] == [b"b"]


def test_bad_series_are_not_numbers():
    split = Split("test", Series(np.ones((3, 4, 1), np.float32)), LABELS)
    assert np.isnan(bad_example(split)).all()
    assert as_sent(split).shape == (3, 4, 1)
