"""A step that memory cannot hold ends with a batch size that it can."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import TrainingError
from pipelines.training.memory import advice_when_full

pytestmark = pytest.mark.faults

EXABYTE = 2**60


class Hungry(keras.layers.Layer):
    """Asks for more memory than there is, for more examples than `most`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def call(self, inputs):
        wanted = tf.where(tf.shape(inputs)[0] > self.most, EXABYTE, 1)
        # What it holds depends on the inputs, or it would be computed beforehand.
        waste = tf.fill([tf.cast(wanted, tf.int64)], inputs[0, 0])
        return inputs + 0.0 * waste[0]


def model_and_batches(most: int) -> tuple[keras.Model, tf.data.Dataset]:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2), Hungry(most), keras.layers.Dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    x, y = np.zeros((8, 4), "float32"), np.zeros(8, "int64")
    return model, tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


@pytest.mark.parametrize(
    ("most", "advice"),
    [
        (3, r"into memory\. A step of 2 examples fits: set .*batch_size=2"),
        (0, r"Not even one example fits: take a smaller config\.input_size_px"),
    ],
)
def test_the_advice_is_a_size_that_was_tried(most, advice):
    model, batches = model_and_batches(most)
    with (
        pytest.raises(TrainingError, match=advice),
        advice_when_full(model, batches, batch_size=8),
    ):
        model.fit(batches, verbose=0)


def test_enough_memory_gives_no_advice():
    model, batches = model_and_batches(8)
    with advice_when_full(model, batches, batch_size=8):
        model.fit(batches, verbose=0)
