"""Progress is saved at any step and restored as it was, and steps are not repeated."""

import json

import keras
import numpy as np
import pytest

from pipelines.runtime.signals import Held
from pipelines.training.callbacks import BestWeights
from pipelines.training.checkpoint import Checkpoints
from pipelines.training.progress import (
    Place,
    Progress,
    ProgressSaver,
    Saving,
    skip_done_steps,
)

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = np.arange(32) % 2


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text("one\n")
    return path


@pytest.fixture
def saving(tmp_path, history):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    return Saving(checkpoints, {"run": 1}, history, every_seconds=0)


def compiled(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input([3])
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(4)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )
    return model


def fitted(model, progress, *, epochs, batch_size=8):
    """The best weights after a fit whose saver saves after every epoch."""
    best = BestWeights(patience_epochs=99)
    saver = ProgressSaver(progress, [best], Held(), batch_size=batch_size)
    model.fit(
        *(X, Y, batch_size, epochs, 0, [best, saver]),
        shuffle=False,
        validation_data=(X, Y),
        initial_epoch=progress.place.epoch,
    )
    return best


def begun(progress, model):
    progress.resume(model)
    progress.phase_begins(0, model)
    progress.attempt_begins(progress.place.attempt)
    progress.fit_begins()


def values_of(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_a_resumed_fit_ends_with_the_same_bits(saving):
    whole = compiled()
    plain = Progress()
    begun(plain, whole)
    best = fitted(whole, plain, epochs=4)

    first = compiled()
    progress = Progress(saving)
    begun(progress, first)
    fitted(first, progress, epochs=2)

    second = compiled(seed=1)
    resumed = Progress(saving, saving.checkpoints.newest())
    begun(resumed, second)
    assert resumed.is_inside(0)
    assert resumed.place.epoch == 2
    again = fitted(second, resumed, epochs=4)
    for left, right in (
        (whole.variables, second.variables),
        (whole.optimizer.variables, second.optimizer.variables),
    ):
        np.testing.assert_equal(values_of(left), values_of(right))
    assert again.best == best.best


def test_resume_restores_start_and_history(saving, history):
    model = compiled()
    start = values_of(model.variables)
    progress = Progress(saving)
    begun(progress, model)
    fitted(model, progress, epochs=1)
    history.write_text("one\ntwo\n")
    other = compiled(seed=1)
    Progress(saving, saving.checkpoints.newest()).resume(other)
    np.testing.assert_equal(values_of(other.variables), start)
    assert history.read_text() == "one\n"


def test_finished_phases_are_not_resumed(saving):
    model = compiled()
    progress = Progress(saving)
    begun(progress, model)
    progress.phase_ends({"name": "head"}, model)
    resumed = Progress(saving, saving.checkpoints.newest())
    assert resumed.was_saved
    assert resumed.finished == [{"name": "head"}]
    assert not resumed.is_inside(0)
    assert resumed.phase_begins(1, model) == 0
    assert resumed.place == Place(phase=1, attempt=0)


def test_another_attempt_forgets_what_was_saved(saving):
    model = compiled()
    progress = Progress(saving)
    begun(progress, model)
    fitted(model, progress, epochs=1)
    resumed = Progress(saving, saving.checkpoints.newest())
    begun(resumed, model)
    resumed.attempt_begins(1)
    assert not resumed.was_saved
    assert resumed.place == Place(phase=0, attempt=1)


@pytest.mark.parametrize("every_seconds", [0, 3600])
def test_a_checkpoint_is_due_by_the_interval(saving, tmp_path, every_seconds):
    object.__setattr__(saving, "every_seconds", every_seconds)
    model = compiled()
    progress = Progress(saving)
    begun(progress, model)
    assert progress.is_due == (every_seconds == 0)
    # With 0 it saves after epochs, and never inside of one.
    assert not progress.saves_inside_epochs
    fitted(model, progress, epochs=1)
    assert (saving.checkpoints.newest() is None) == (every_seconds > 0)
    progress.save_trained(model)
    assert saving.checkpoints.newest() is not None


def test_without_saving_nothing_is_written(tmp_path):
    model = compiled()
    progress = Progress()
    begun(progress, model)
    fitted(model, progress, epochs=1)
    progress.save_trained(model)
    assert not progress.is_due
    assert list(tmp_path.iterdir()) == []


def test_skipped_steps_change_nothing_and_take_no_batch():
    model = compiled()
    model.train_on_batch(X, Y)  # builds the metrics
    start = values_of(model.trainable_variables)
    skip_done_steps(model, 4)
    model.fit(X, Y, 8, 1, 0)
    np.testing.assert_equal(values_of(model.trainable_variables), start)
    model.fit(X, Y, 8, 1, 0)
    assert any(
        (now != old).any()
        for now, old in zip(values_of(model.trainable_variables), start)
    )


def test_the_state_of_callbacks_goes_through_json():
    best = BestWeights(patience_epochs=1)
    values, arrays = best.get_state()
    other = BestWeights(patience_epochs=1)
    other.set_state(json.loads(json.dumps(values)), arrays)
    assert other.best == best.best
