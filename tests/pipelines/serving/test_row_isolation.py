"""A row that fails gets the fallback, and costs no other row."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.row_isolation import each_or


def _roots(values):
    def root(x):
        with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
            return tf.sqrt(x)

    return each_or(tf.constant(values, tf.float32), root, tf.constant(-1.0))[:-1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([4.0, 9.0], [2.0, 3.0]),
        ([-4.0, 9.0, -1.0], [-1.0, 3.0, -1.0]),
        ([-4.0], [-1.0]),
        ([], []),
    ],
)
def test_failing_rows_get_the_fallback(values, expected):
    np.testing.assert_allclose(_roots(values), expected)
    np.testing.assert_allclose(tf.function(_roots)(values), expected)
