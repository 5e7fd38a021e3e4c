"""How far a run has come: saved while it trains, and taken up again after a break.

What is saved is all that the rest of the run depends on: every variable of the model,
also those of random generators, the optimizer's, the metrics' inside of an epoch, what
callbacks remember, and the place. What a phase makes of its start is made again, of the
weights it started from.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from pipelines.runtime.signals import Held
from pipelines.training.checkpoint import Checkpoint, Checkpoints, Stored

_logger = logging.getLogger("zootune")

Arrays = Sequence[np.ndarray]


class Stateful(Protocol):
    """A callback that is another one after every epoch."""

    def set_model(self, model: keras.Model) -> None:
        """Tells it, as Keras does, which model is trained."""

    def get_state(self) -> tuple[dict[str, Any], Arrays]:
        """All that it knows besides what it was made with; the values go to JSON."""

    def set_state(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        """Makes it what it was when it gave these."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in a phase training is: `step` steps of `epoch` are done, both from 0.

    `attempt` counts how often the phase started over. With `has_ended` no epoch is to
    come. Seconds are those that the phase and its fit took until here.
    """

    phase: int
    attempt: int
    epoch: int = 0
    step: int = 0
    has_ended: bool = False
    phase_seconds: float = 0.0
    fit_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Saving:
    """Where a run is saved, what it is `about`, and how often.

    That is at the end of an epoch, or of a step, when the last time was `every_seconds`
    ago; with 0, after every epoch. It is less often where saving would take more than a
    `share_of_time`. The history is a part of what is saved.
    """

    checkpoints: Checkpoints
    about: Mapping[str, Any]
    history_path: Path
    every_seconds: float
    share_of_time: float = 0.02


class Progress:
    """What a run has done, and `saved`, a checkpoint that it goes on from.

    Without `saving` nothing is saved, as in workers that are not the chief.
    """

    def __init__(
        self, saving: Saving | None = None, saved: Checkpoint | None = None
    ) -> None:
        self._saving = saving
        self._saved = saved
        self._last_seconds = time.monotonic()
        self._began_seconds = time.monotonic()
        self._cost_seconds = 0.0
        self._start: list[np.ndarray] = []
        self._stored_start: Stored | None = None
        self._phase_began = self._fit_began = 0.0
        self.place = Place(phase=0, attempt=0)
        self.finished: list[dict[str, Any]] = []
        self.seconds_before = 0.0
        if saved is not None:
            self.finished = list(saved.values["finished"])
            self.seconds_before = saved.values["seconds"]

    @property
    def was_saved(self) -> bool:
        """Whether there is something to go on from."""
        return self._saved is not None

    def resume(self, model: keras.Model) -> None:
        """Brings the model, and the lines of history, to where they were saved."""
        if self._saved is None:
            return
        place = self._saved_place()
        _assign(model.variables, self._saved.arrays["start"])
        if self._saving is not None:
            self._saving.history_path.write_text(self._saved.values["history"])
        where = f"{len(self.finished)} phases done"
        if place is not None:
            where += f", {place.epoch} epochs and {place.step} steps of the next one"
        _logger.info("Going on from a checkpoint: %s.", where)

    def is_inside(self, phase: int) -> bool:
        """Whether what was saved goes on inside this phase."""
        place = self._saved_place()
        return place is not None and place.phase == phase

    def phase_begins(self, phase: int, model: keras.Model) -> int:
        """Notes what a phase starts from; gives the attempt to go on at."""
        self._keep_start(model)
        place = self._saved_place()
        is_inside = place is not None and place.phase == phase
        self.place = place if place and is_inside else Place(phase, attempt=0)
        return self.place.attempt

    def attempt_begins(self, attempt: int) -> None:
        """Begins the clocks of an attempt; one that was saved goes on with its own."""
        if attempt != self.place.attempt:
            self.place = Place(self.place.phase, attempt)
            self._saved = None
        self._phase_began = time.monotonic() - self.place.phase_seconds

    def phase_ends(self, result: Mapping[str, Any], model: keras.Model) -> None:
        """Notes what a phase did."""
        self.finished.append(dict(result))
        self._saved = None
        if self._saving is not None and self.is_due:
            self._keep_start(model)
            self._write(self._saving, None, {})

    def keep(self, model: keras.Model) -> None:
        """Saves that all phases are done, whenever it was saved the last time.

        What comes after training has failed, and is to be tried again without it.
        """
        if self._saving is None:
            return
        self._keep_start(model)
        try:
            self._write(self._saving, None, {})
        except OSError as error:
            _logger.warning("The trained model could not be saved: %s.", error)

    @property
    def phase_seconds(self) -> float:
        """How long the phase has taken."""
        return time.monotonic() - self._phase_began

    @property
    def fit_seconds(self) -> float:
        """How long its fit has taken."""
        return time.monotonic() - self._fit_began

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        if self._saving is None:
            return False
        wanted = self._saving.every_seconds
        if wanted > 0:
            wanted = max(wanted, self._cost_seconds / self._saving.share_of_time)
        return time.monotonic() - self._last_seconds >= wanted

    @property
    def saves_inside_epochs(self) -> bool:
        """Whether it may be time to save before an epoch has ended."""
        saving = self._saving
        return saving is not None and saving.every_seconds > 0 and self.is_due

    def fit_begins(self) -> None:
        """Begins the clock of the fit."""
        self._fit_began = time.monotonic() - self.place.fit_seconds

    def restore(self, model: keras.Model, callbacks: Sequence[Stateful]) -> None:
        """Makes model, optimizer and callbacks what they were, if that was saved."""
        if self._saved is None or not self.is_inside(self.place.phase):
            return
        arrays, values = self._saved.arrays, self._saved.values["callbacks"]
        # Those of metrics count inside of an epoch, and begin anew with the next one.
        is_inside_epoch = self.place.step > 0
        _assign(_changing(model, with_metrics=is_inside_epoch), arrays["now"])
        for i, callback in enumerate(callbacks):
            callback.set_model(model)
            callback.set_state(values[i], arrays[f"callback{i}"])

    def forget_saved(self) -> None:
        """Gives the memory back that the arrays of a checkpoint take."""
        self._saved = None

    def save(
        self,
        model: keras.Model,
        callbacks: Sequence[Stateful],
        *,
        epoch: int,
        step: int,
        has_ended: bool,
    ) -> None:
        """Writes a checkpoint of this place in the fit of a phase."""
        if self._saving is None:
            return
        place = dataclasses.replace(
            self.place,
            epoch=epoch,
            step=step,
            has_ended=has_ended,
            phase_seconds=self.phase_seconds,
            fit_seconds=self.fit_seconds,
        )
        now = _changing(model, with_metrics=step > 0)
        states = [callback.get_state() for callback in callbacks]
        groups: dict[str, Arrays] = {
            f"callback{i}": arrays for i, (_, arrays) in enumerate(states)
        }
        groups["now"] = [keras.ops.convert_to_numpy(v) for v in now]
        self._write(self._saving, place, groups, [values for values, _ in states])

    def _write(
        self,
        saving: Saving,
        place: Place | None,
        groups: Mapping[str, Arrays],
        callbacks: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        started = time.monotonic()
        if self._stored_start is None:
            self._stored_start = saving.checkpoints.store(self._start)
        stored = {name: saving.checkpoints.store(one) for name, one in groups.items()}
        values = {
            "about": saving.about,
            "finished": self.finished,
            "place": None if place is None else dataclasses.asdict(place),
            "callbacks": list(callbacks),
            "history": _text_of(saving.history_path),
            "seconds": self.seconds_before + started - self._began_seconds,
        }
        saving.checkpoints.write(values, {"start": self._stored_start, **stored})
        self._last_seconds = time.monotonic()
        self._cost_seconds = self._last_seconds - started

    def _keep_start(self, model: keras.Model) -> None:
        if self._saving is not None:
            values = (keras.ops.convert_to_numpy(v) for v in model.variables)
            self._start = [np.array(value) for value in values]
            self._stored_start = None

    def _saved_place(self) -> Place | None:
        values = None if self._saved is None else self._saved.values["place"]
        return None if values is None else Place(**values)


class Keeper(keras.callbacks.Callback):
    """Puts back what was saved when a fit begins, and saves while it goes on.

    Comes last, so that it sees what the others have done. After a signal it saves when
    the step is done, or the epoch where there is no step left, and lets the signal go.
    A step is done when the next one begins: its end is not seen (`ThrottledCallbacks`).

    A fit that goes on inside an epoch is given that epoch again, but the steps that
    were done do nothing (`skip_done_steps`).
    """

    def __init__(
        self,
        progress: Progress,
        stateful: Sequence[Stateful],
        signals: Held,
        *,
        batch_size: int,
    ) -> None:
        super().__init__()
        self._progress, self._stateful = progress, stateful
        self._signals = signals
        self._batch_size = batch_size
        self._epoch = progress.place.epoch
        self._done_steps = progress.place.step

    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        if epoch != self._progress.place.epoch:
            self._done_steps = 0
        self._progress.restore(self.model, self._stateful)
        if not self._done_steps:
            self._progress.forget_saved()
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs=None) -> None:
        step = batch
        if step and step == self._done_steps:
            # Again: for the other callbacks these were steps like any.
            self._progress.restore(self.model, self._stateful)
            self._progress.forget_saved()
        # Where images are mixed it is in pairs, and those must not be torn apart.
        is_whole = step * self._batch_size % 2 == 0
        is_wanted = self._signals.pending or self._progress.saves_inside_epochs
        if step <= self._done_steps or not (is_whole and is_wanted):
            return
        if not self.model.stop_training:
            self._save(self._epoch, step, has_ended=False)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        has_ended = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if self._signals.pending or self._progress.is_due:
            self._save(epoch + 1, 0, has_ended=has_ended)

    def _save(self, epoch: int, step: int, *, has_ended: bool) -> None:
        self._progress.save(
            self.model, self._stateful, epoch=epoch, step=step, has_ended=has_ended
        )
        if self._signals.pending:
            _logger.info("Saved; the same command goes on from here.")
        self._signals.let_go_if_pending()


def skip_done_steps(model: keras.Model, steps: int) -> None:
    """Lets the first steps of the next fit do nothing, and take no batch."""
    if not steps:
        return
    model.make_train_function()
    train, left = model.train_function, steps

    def train_after_those(iterator):
        nonlocal left
        if left == 0:
            return train(iterator)
        left -= 1
        # As after the step before: the epoch may end here, at the deadline.
        return model.get_metrics_result()

    model.train_function = train_after_those


def _changing(model: keras.Model, *, with_metrics: bool) -> list[keras.Variable]:
    """All that a step changes, in an order that is the same in every process."""
    model.optimizer.build(model.trainable_variables)
    metrics = model.metrics_variables if with_metrics else []
    return [*model.variables, *model.optimizer.variables, *metrics]


def _assign(variables: Sequence[keras.Variable], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _text_of(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
