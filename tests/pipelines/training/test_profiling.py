"""A profile says where the seconds of a step go, and changes nothing."""

import dataclasses
import json
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.commands.tables import result_table
from pipelines.config import RunConfig, checked
from pipelines.run import run
from pipelines.training.profiling import CallbackSeconds, profile_steps

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


def test_a_profiled_run_ends_with_the_same_weights(tmp_path):
    config = checked(
        RunConfig(
            data="builtin:digits?limit=60",
            backbone="tiny_image",
            weights="none",
            strategy="scratch",
            input_size_px=16,
            workdir=str(tmp_path / "plain"),
        )
    )
    config.finetune.epochs = 1
    plain = run(config)
    profiled = run(
        dataclasses.replace(config, profile=True, workdir=str(tmp_path / "profiled"))
    )
    for ours, wanted in zip(profiled.model.get_weights(), plain.model.get_weights()):
        np.testing.assert_array_equal(ours, wanted)
    report = json.loads((tmp_path / "profiled" / "report.json").read_text())
    (phase,) = report["phases"]
    assert phase["profile"]["steps"] == 8
    assert all(phase["profile"][name] > 0 for name in ("input", "forward", "callbacks"))
    assert "milliseconds of a step" in result_table(report)
    assert "milliseconds of a step" not in result_table(dict(plain.report))
    traces = (tmp_path / "profiled" / "tensorboard").glob("*/plugins/profile/*/*.pb")
    assert len(list(traces)) == 1
