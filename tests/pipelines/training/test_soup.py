"""A soup is the average of what it says, and never worse than the best epoch."""

import itertools

import keras
import numpy as np
import pytest

from pipelines.training.callbacks import BestWeights, score
from pipelines.training.soup import Soup

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 8)).astype("float32")
Y = (X[:, 0] + 2.0 * RNG.normal(size=400) > 0).astype("int64")
TRAIN, VALIDATION = (X[:40], Y[:40]), (X[40:], Y[40:])


class _Epochs(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.weights, self.scores = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())
        self.scores.append(score(logs["val_accuracy"], logs["val_loss"]))


class _Cooked:
    """A model after a fit whose epochs jump about, and what was remembered of it."""

    def __init__(self, *, at_most: int, rate: float) -> None:
        keras.utils.set_random_seed(0)
        frozen = keras.layers.Dense(8, trainable=False)
        self.model = keras.Sequential(
            [keras.Input((8,)), frozen, keras.layers.Dense(2, activation=None)]
        )
        self.model.compile(
            keras.optimizers.SGD(rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,
        )
        self.best, self.soup = BestWeights(patience_epochs=99), Soup(at_most=at_most)
        self.epochs = _Epochs()
        callbacks = [self.best, self.soup, self.epochs]
        self.model.fit(*TRAIN, 4, 8, 0, callbacks, validation_data=VALIDATION)

    def validate(self):
        loss, accuracy = self.model.evaluate(*VALIDATION, batch_size=360, verbose=0)
        return accuracy, loss

    def serve(self):
        self.best.restore()
        return self.soup.serve(self.validate)

    def average(self, epochs):
        chosen = [self.epochs.weights[epoch - 1] for epoch in epochs]
        return [np.mean(values, axis=0) for values in zip(*chosen)]


@pytest.fixture(scope="module")
def cooked():
    return _Cooked(at_most=3, rate=3.0)


def test_a_soup_averages_epochs_and_is_better(cooked):
    served = cooked.serve()
    assert len(served.epochs) >= 2
    assert cooked.best.best_epoch in served.epochs
    pairs = zip(cooked.model.get_weights(), cooked.average(served.epochs), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert served.reached > cooked.best.best
    assert served.reached == pytest.approx(score(*cooked.validate()), abs=1e-6)


def test_an_epoch_joins_only_if_validation_improves(cooked):
    served = cooked.serve()
    scores = cooked.epochs.scores
    ranked = sorted(range(len(scores)), key=lambda i: scores[i], reverse=True)[:3]
    expected = [ranked[0] + 1]
    reached = scores[ranked[0]]
    for other in ranked[1:]:
        cooked.model.set_weights(cooked.average([*expected, other + 1]))
        found = score(*cooked.validate())
        if found > reached:
            expected, reached = [*expected, other + 1], found
    assert served.epochs == tuple(sorted(expected))


def test_a_soup_is_at_least_the_best_epoch():
    cooked = _Cooked(at_most=4, rate=2.0)
    served = cooked.serve()
    assert served.reached >= cooked.best.best
    assert score(*cooked.validate()) >= (
        cooked.best.best[0],
        cooked.best.best[1] - 1e-5,
    )


def test_without_gain_the_best_epoch_stays_exactly(cooked):
    cooked.best.restore()
    calls = itertools.count()
    served = cooked.soup.serve(lambda: (0.0, float(next(calls))))
    assert served.epochs == (cooked.best.best_epoch,)
    assert next(calls) == 2
    best = cooked.epochs.weights[cooked.best.best_epoch - 1]
    for ours, theirs in zip(cooked.model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_soup_holds_trainable_weights_of_few_epochs(cooked):
    held = [one.values for one in cooked.soup._best]
    assert [len(values) for values in held] == [2, 2, 2]
    assert [v.shape for v in held[0]] == [(8, 2), (2,)]


def test_a_soup_of_zero_holds_nothing():
    cooked = _Cooked(at_most=0, rate=1.0)
    served = cooked.serve()
    assert (served.epochs, served.reached, cooked.soup._best) == ((), None, [])
    best = cooked.epochs.weights[cooked.best.best_epoch - 1]
    np.testing.assert_array_equal(cooked.model.get_weights()[2], best[2])
