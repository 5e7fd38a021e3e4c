"""Plain values of whatever type comes, and words for them."""

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.serving.examples import values


def test_tensors_become_arrays():
    array = values.plain(tf.constant([1.0, 2.0]))
    assert isinstance(array, np.ndarray)
    assert values.plain("a text") == "a text"


def test_masked_values_are_missing():
    masked = np.ma.masked_array([1, 2, 3], [False, True, False])
    np.testing.assert_array_equal(values.plain(masked), [1.0, np.nan, 3.0])


def test_images_of_pillow_are_known():
    assert values.is_pillow(Image.new("L", (1, 1)))
    assert not values.is_pillow(np.zeros((1, 1)))


def test_messages_name_types_and_shapes():
    assert values.type_name(np.zeros(1)) == "ndarray"
    assert values.shape_text((None, 3)) == "[None, 3]"
