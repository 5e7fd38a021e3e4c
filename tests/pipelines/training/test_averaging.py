"""The average that is kept is the one that the steps had, and the one validated."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines.config import RunConfig
from pipelines.planning.policy import TrainingFacts, decide
from pipelines.training.averaging import averaged
from pipelines.training.callbacks import BestWeights
from pipelines.training.rates import optimizer_for

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int64")
EPOCHS, STEPS, DECAY = 4, 4, 0.7


class _Trace(keras.callbacks.Callback):
    """The weights as trained after each step, and those in the model as epochs end."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.steps, self.epochs = [], []
        self._stop_after = epochs

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.model.get_weights())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append((self.model.get_weights(), dict(logs)))
        self.model.stop_training |= len(self.epochs) == self._stop_after


def _averages(steps):
    """The average after each step, by its definition."""
    found = [steps[0]]
    for weights in steps[1:]:
        last = zip(found[-1], weights)
        found.append([DECAY * old + (1 - DECAY) * new for old, new in last])
    return found


@pytest.fixture
def phase():
    facts = TrainingFacts(examples=64, classes=2, block_names=("stem",))
    config = RunConfig(strategy="full")
    config.finetune.ema_decay, config.finetune.learning_rate = DECAY, 0.05
    return decide(facts, config).phases[-1]


def _fit(phase, *, epochs=EPOCHS):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(
        optimizer_for(phase, rate_multipliers=(1.0, 0.5), steps=EPOCHS * STEPS),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    best, trace = BestWeights(patience_epochs=EPOCHS), _Trace(epochs)
    callbacks = [*averaged(phase), best, trace]
    model.fit(X, Y, 16, EPOCHS, 0, callbacks, validation_data=(X, Y))
    return model, best, trace


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_best_epoch_is_an_average_of_steps(phase, optimizer):
    phase = dataclasses.replace(phase, optimizer=optimizer, clip_norm=100.0)
    model, best, trace = _fit(phase)
    assert len(trace.steps) == EPOCHS * STEPS
    at_epochs = _averages(trace.steps)[STEPS - 1 :: STEPS]
    for (seen, _), average in zip(trace.epochs, at_epochs, strict=True):
        for ours, theirs in zip(seen, average):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
    best.restore()
    for ours, theirs in zip(model.get_weights(), at_epochs[best.best_epoch - 1]):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    as_trained = trace.steps[best.best_epoch * STEPS - 1]
    assert np.abs(model.get_weights()[0] - as_trained[0]).max() > 1e-3


def test_validation_is_of_the_average(phase):
    model, _, trace = _fit(phase)
    for weights, logs in trace.epochs:
        model.set_weights(weights)
        loss, accuracy = model.evaluate(X, Y, verbose=0)
        assert logs["val_loss"] == pytest.approx(loss, abs=1e-5)
        assert logs["val_accuracy"] == pytest.approx(accuracy)


def test_training_goes_on_from_the_weights_as_trained(phase):
    plain = dataclasses.replace(phase, ema_decay=0.0)
    assert averaged(plain) == ()
    with_average, without = _fit(phase)[2], _fit(plain)[2]
    for ours, theirs in zip(with_average.steps, without.steps, strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)


def test_the_average_survives_an_early_stop(phase):
    model, best, trace = _fit(phase, epochs=2)
    assert len(trace.epochs) == best.best_epoch == 2
    # Keras leaves the weights as trained in this case.
    assert np.abs(model.get_weights()[0] - trace.epochs[-1][0][0]).max() > 1e-3
    best.restore()
    for ours, theirs in zip(model.get_weights(), trace.epochs[-1][0]):
        np.testing.assert_array_equal(ours, theirs)
