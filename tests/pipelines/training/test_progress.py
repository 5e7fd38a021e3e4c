"""How far a run has come, saved and taken up again by another process."""

import keras
import numpy as np
import pytest

from pipelines.training.checkpoint import Checkpoints
from pipelines.training.progress import Progress, Saving, skip_done_steps

ROWS = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
LABELS = np.arange(12) % 2


class Counter:
    """A callback with a number to remember."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.model = number, None

    def set_model(self, model):
        self.model = model

    def get_state(self):
        return {"number": self.number}, [np.full(2, self.number)]

    def set_state(self, values, arrays):
        assert arrays[0].tolist() == [values["number"]] * 2
        self.number = values["number"]


def _model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, weighted_metrics=["accuracy"], jit_compile=False)
    return model


@pytest.fixture
def saving(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text("line\n")
    return Saving(Checkpoints(tmp_path / "checkpoints"), {}, path, every_seconds=0)


def _weights(model):
    return [np.array(variable) for variable in model.variables]


def test_a_fit_goes_on_with_model_optimizer_and_callbacks(saving):
    model, progress = _model(), Progress(saving)
    start = _weights(model)
    progress.phase_begins(1, model)
    progress.attempt_begins(0)
    progress.fit_begins()
    model.fit(ROWS, LABELS, batch_size=4, verbose=0)
    progress.save(model, [Counter(7)], epoch=2, step=0, has_ended=False)
    moved, slots = _weights(model), [np.array(v) for v in model.optimizer.variables]

    saving.history_path.write_text("line\nanother that was not saved\n")
    saved = Checkpoints(saving.checkpoints.folder).newest()
    other, again, counter = _model(), Progress(saving, saved), Counter()
    again.resume(other)
    assert saving.history_path.read_text() == "line\n"
    for value, wanted in zip(_weights(other), start, strict=True):
        np.testing.assert_array_equal(value, wanted)
    assert again.is_inside(1)
    assert again.phase_begins(1, other) == 0
    assert (again.place.epoch, again.place.step) == (2, 0)
    again.restore(other, [counter])
    assert (counter.number, counter.model) == (7, other)
    for value, wanted in zip(_weights(other), moved, strict=True):
        np.testing.assert_array_equal(value, wanted)
    for variable, wanted in zip(other.optimizer.variables, slots, strict=True):
        np.testing.assert_array_equal(variable, wanted)


def test_phases_that_are_done_are_not_begun_again(saving):
    model, progress = _model(), Progress(saving)
    progress.phase_begins(0, model)
    progress.phase_ends({"name": "head"}, model)
    saved = Checkpoints(saving.checkpoints.folder).newest()
    again = Progress(saving, saved)
    assert again.was_saved
    assert again.finished == [{"name": "head"}]
    assert not again.is_inside(0)
    assert not again.is_inside(1)


def test_an_attempt_at_another_rate_forgets_what_was_saved(saving):
    model, progress = _model(), Progress(saving)
    progress.phase_begins(0, model)
    progress.attempt_begins(0)
    progress.save(model, [], epoch=1, step=0, has_ended=False)
    again = Progress(saving, Checkpoints(saving.checkpoints.folder).newest())
    again.phase_begins(0, model)
    again.attempt_begins(1)
    assert (again.place.attempt, again.place.epoch) == (1, 0)
    assert not again.was_saved


def test_nothing_is_saved_where_nobody_saves(tmp_path):
    progress = Progress()
    progress.phase_begins(0, _model())
    progress.save(_model(), [], epoch=1, step=0, has_ended=False)
    progress.keep(_model())
    assert (progress.is_due, progress.saves_inside_epochs) == (False, False)


def test_it_is_due_after_its_seconds(saving):
    assert Progress(saving).is_due
    assert not Progress(saving).saves_inside_epochs
    later = Saving(saving.checkpoints, {}, saving.history_path, every_seconds=1e9)
    assert not Progress(later).is_due


def test_steps_that_were_done_take_no_batch_and_move_nothing():
    model = _model()
    model.evaluate(ROWS, LABELS, verbose=0)  # builds the metrics
    skip_done_steps(model, 3)
    before = _weights(model)
    model.fit(ROWS, LABELS, batch_size=4, epochs=1, verbose=0)
    for value, wanted in zip(_weights(model), before, strict=True):
        np.testing.assert_array_equal(value, wanted)
    model.fit(ROWS, LABELS, batch_size=4, epochs=1, verbose=0)
    assert not np.array_equal(_weights(model)[0], before[0])
