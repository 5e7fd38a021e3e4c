"""What a published SavedModel promises to those who train it."""

import keras
import numpy as np
import tensorflow as tf

import zoo
from tests.support import tiny_modules
from zoo.saved_model.export import save_module


def _saved(model, folder):
    save_module(model, folder)
    return tf.saved_model.load(str(folder))


def test_penalties_go_with_it(tmp_path):
    """Those of layers, and those of a module inside."""
    folder = tiny_modules.save_hub(tmp_path / "inner", size=8)
    inner = zoo.build("tfhub", handle=folder).model
    x = keras.layers.Conv2D(3, 1, kernel_regularizer=keras.regularizers.L2(0.5))
    model = keras.Model(inner.input, x(inner.output))
    loaded = _saved(model, tmp_path / "outer")
    losses = [float(loss()) for loss in loaded.regularization_losses]
    kernel = next(v for v in inner.trainable_variables if "conv" in v.name)
    expected = [
        0.5 * float(np.sum(np.square(x.kernel))),
        tiny_modules.L2 * float(tf.nn.l2_loss(kernel.value)),
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert min(losses) > 0


def test_lists_name_every_variable_once(tmp_path):
    model = zoo.build("tiny_image", weights=None, input_size_px=8).model
    loaded = _saved(model, tmp_path / "module")
    assert len(loaded.variables) == len(model.variables) > 10
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    assert len(loaded.regularization_losses) == 0


def test_training_moves_statistics_and_inference_does_not(tmp_path):
    model = zoo.build("tiny_image", weights=None, input_size_px=8).model
    loaded = _saved(model, tmp_path / "module")
    trainable = {v.ref() for v in loaded.trainable_variables}
    fixed = [v for v in loaded.variables if v.ref() not in trainable]
    before = [v.numpy() for v in fixed]
    images = np.random.default_rng(0).random((4, 8, 8, 3)).astype("float32")
    loaded(images)
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, fixed))
    loaded(images, training=True)
    assert not all(np.array_equal(a, v.numpy()) for a, v in zip(before, fixed))
