"""Best weights, time limit, and history lines, on a real fit."""

import json
import math
import time

import keras
import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.training.callbacks import (
    BestWeights,
    HistoryLines,
    StopsAtNaN,
    ThrottledCallbacks,
    TimeLimit,
    require_callbacks,
    score,
    sees_steps,
)

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(
        keras.optimizers.SGD(0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def _fit(model, callbacks, epochs=5, x=X):
    model.fit(x, Y, 16, epochs, 0, callbacks, validation_data=(X, Y))


def test_best_weights_are_those_of_the_best_epoch(model):
    best = BestWeights(patience_epochs=10)
    _fit(model, [best])
    best.restore()
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    assert best.best_epoch > 0
    assert (accuracy, -loss) == pytest.approx(best.best, abs=1e-6)


def test_best_weights_stop_without_a_better_epoch(model):
    best = BestWeights(patience_epochs=2)
    best.best = (1.1, 0.0)
    _fit(model, [best])
    assert len(model.history.epoch) == 2
    assert best.best_epoch == 0


def test_best_weights_stop_below_the_accuracy_to_reach(model):
    """The best of them is remembered all the same: a part of it may be better."""
    best = BestWeights(patience_epochs=3, to_reach=1.1)
    _fit(model, [best], epochs=8)
    assert len(model.history.epoch) == 3
    assert best.best_epoch > 0


@pytest.mark.parametrize(
    ("to_reach", "loss_to_reach", "epochs"),
    [(1.1, 0.0, 1), (1.1, 100.0, 4), (0.0, 0.0, 4), (1.1, math.inf, 4)],
)
def test_best_weights_stop_after_one_harmful_epoch(
    model, to_reach, loss_to_reach, epochs
):
    best = BestWeights(
        patience_epochs=9, to_reach=to_reach, loss_to_reach=loss_to_reach
    )
    _fit(model, [best], epochs=4)
    assert len(model.history.epoch) == epochs
    assert best.best_epoch > 0


def test_nan_is_never_best():
    assert score(0.99, math.nan) < score(0.0, 100.0)
    assert score(0.9, 0.3) > score(0.9, 0.4) > score(0.8, 0.1)


def test_training_stops_at_the_deadline(model):
    _fit(model, [TimeLimit(time.monotonic() - 1)])
    assert len(model.history.epoch) == 1
    _fit(model, [TimeLimit(time.monotonic() + 1000)])
    assert len(model.history.epoch) == 5


class _Seen(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.begun, self.ended = 0, []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun += 1

    def on_train_batch_end(self, batch, logs=None):
        self.ended.append((time.monotonic(), logs["loss"]))


def test_throttled_callbacks_see_ten_steps_a_second(model):
    every, rare = _Seen(), _Seen()
    model.fit(X, Y, 1, 20, 0, [every])
    started = time.monotonic()
    model.fit(X, Y, 1, 20, 0, ThrottledCallbacks([rare], model=model, epochs=20))
    allowed = 1 + (time.monotonic() - started) / 0.1
    assert every.begun == len(every.ended) == rare.begun == 20 * 64
    assert 1 <= len(rare.ended) <= allowed < 20 * 64
    assert all(math.isfinite(loss) for _, loss in rare.ended)
    assert len(model.history.epoch) == 20


def test_training_stops_at_nan_loss(model):
    at_nan = StopsAtNaN()
    model.fit(X * np.nan, Y, 1, 1000, 0, ThrottledCallbacks([at_nan], model=model))
    assert len(model.history.epoch) < 100
    assert 1 <= at_nan.step <= 64


def test_the_step_of_a_nan_loss_is_kept(model):
    poisoned, at_nan = X.copy(), StopsAtNaN()
    poisoned[10] = np.nan
    model.fit(poisoned, Y, 1, 3, 0, [at_nan], shuffle=False)
    assert at_nan.step == 11
    assert len(model.history.epoch) == 1
    healthy = StopsAtNaN()
    model.set_weights([np.zeros(v.shape) for v in model.weights])
    model.fit(X, Y, 1, 1, 0, [healthy])
    assert healthy.step is None


def test_history_has_one_json_line_per_epoch(model, tmp_path):
    path = tmp_path / "history.jsonl"
    _fit(model, [HistoryLines(path, phase="head")], epochs=2)
    _fit(model, [HistoryLines(path, phase="tail")], epochs=1, x=X * np.nan)
    lines = [
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
        for line in path.read_text().splitlines()
    ]
    assert [(line["phase"], line["epoch"]) for line in lines] == [
        ("head", 1),
        ("head", 2),
        ("tail", 1),
    ]
    assert lines[0]["val_accuracy"] > 0
    assert lines[-1]["loss"] is None


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: BestWeights(patience_epochs=7),
        lambda folder: HistoryLines(folder / "history.jsonl", phase="head"),
    ],
    ids=["best weights", "history lines"],
)
def test_state_of_a_callback_covers_all_changes(model, tmp_path, make):
    trained, fresh = make(tmp_path), make(tmp_path)
    _fit(model, [trained], epochs=3)
    values, arrays = trained.get_state()
    fresh.set_state(json.loads(json.dumps(values)), arrays)
    # Of Keras, or only for the seconds of an epoch.
    apart = {"_model", "params", "validation_data", "_started_seconds"}
    known, wanted = vars(fresh), vars(trained)
    assert wanted.keys() - apart <= known.keys()
    for name in wanted.keys() - apart:
        same = keras.tree.map_structure(np.array_equal, known[name], wanted[name])
        assert all(keras.tree.flatten(same)), name


class OfSteps(keras.callbacks.Callback):
    def on_batch_end(self, batch, logs=None):
        pass


def test_callback_that_sees_steps_is_known():
    assert sees_steps(OfSteps())
    assert sees_steps(keras.callbacks.LambdaCallback(on_train_batch_end=print))
    assert not sees_steps(keras.callbacks.LambdaCallback(on_epoch_end=print))
    assert not sees_steps(keras.callbacks.EarlyStopping())


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (OfSteps(), r"callbacks is OfSteps.*Write callbacks=\[\.\.\.\]"),
        ([OfSteps], r"callbacks\[0\] is the class OfSteps.*Write OfSteps\(\)"),
        ([OfSteps(), print], r"callbacks\[1\] is of builtins\.builtin_function"),
        (None, "callbacks is NoneType"),
    ],
)
def test_what_is_no_callback_is_refused(callbacks, message):
    with pytest.raises(ConfigError, match=message):
        require_callbacks(callbacks)


def test_callbacks_are_allowed():
    require_callbacks([])
    require_callbacks((OfSteps(), keras.callbacks.TerminateOnNaN()))
