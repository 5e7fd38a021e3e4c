"""A profile says where the seconds of a step go, and changes nothing."""

import dataclasses
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.splits import first
from pipelines.training.profiling import CallbackSeconds, profile_steps
from tests.support.tiny_stages import tiny_config, train_stages

ROWS = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    given = keras.Input((6,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(given))
    model = keras.Model(given, keras.layers.Dense(3)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=False)
    return model


def slow_batches(seconds):
    def wait(x, y):
        return tf.numpy_function(lambda x: (time.sleep(seconds), x)[1], [x], x.dtype), y

    rows = tf.data.Dataset.from_tensor_slices((ROWS, np.zeros(32, np.int64)))
    shaped = rows.batch(8).repeat().map(wait)
    return shaped.map(lambda x, y: (tf.ensure_shape(x, (None, 6)), y))


def test_a_profile_has_waits_and_undoes_steps(model, tmp_path):
    before = [np.array(v) for v in model.variables]
    assert len(before) == 7  # also what dropout draws from
    found = profile_steps(model, slow_batches(0.06), folder=tmp_path)
    # The next batch is read while a step computes.
    assert found.input >= 0.02
    assert min(found.forward, found.backward + found.update) > 0
    assert found.forward < found.input
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    (trace,) = tmp_path.glob("plugins/profile/*/*.xplane.pb")
    assert trace.stat().st_size > 0


def test_a_profile_has_callback_seconds(model):
    slow = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: time.sleep(0.01),
        on_train_batch_end=lambda batch, logs: time.sleep(0.02),
    )
    seconds = CallbackSeconds()
    assert seconds.median == 0
    callbacks = [seconds.first, slow, seconds.last]
    model.fit(ROWS, np.zeros(32), callbacks=callbacks, verbose=0)
    assert seconds.median >= 0.03


def test_profiled_training_ends_where_the_same_training_does(tmp_path, splits):
    few = dataclasses.replace(splits, train=first(splits.train, 60))
    config = tiny_config(strategy="scratch")
    config.finetune.epochs = 1
    plain, _ = train_stages(tmp_path / "plain", few, config)
    profiled, history = train_stages(tmp_path / "profiled", few, config, profile=True)
    weights = zip(profiled.model.get_weights(), plain.model.get_weights(), strict=True)
    for ours, wanted in weights:
        np.testing.assert_array_equal(ours, wanted)
    (phase,) = history.phases
    assert phase.profile.steps == 8
    assert min(phase.profile.input, phase.profile.forward, phase.profile.callbacks) > 0
    traces = (tmp_path / "profiled" / "tensorboard").glob("*/plugins/profile/*/*.pb")
    assert len(list(traces)) == 1
