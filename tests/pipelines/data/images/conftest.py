"""The decoder as a graph, traced once for all tests of images."""

from __future__ import annotations

import pytest
import tensorflow as tf

from pipelines.data.images.decode import decode


@pytest.fixture(scope="session")
def decode_in_graph() -> tf.types.experimental.PolymorphicFunction:
    return tf.function(decode, input_signature=[tf.TensorSpec([], tf.string)])
