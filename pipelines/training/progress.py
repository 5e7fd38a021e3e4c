"""The progress of a run: saved while it trains, and resumed after an interruption.

A checkpoint holds all that the rest of the run depends on: the variables of the model
(random generators included), of the optimizer and, inside an epoch, of the metrics, the
states of callbacks, and the place. All that a phase derives from its start is derived
again, from the weights it started from.
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
    """A callback whose state changes each epoch and is saved with a checkpoint."""

    def set_model(self, model: keras.Model) -> None:
        """Sets the model that is trained, as Keras does."""

    def get_state(self) -> tuple[dict[str, Any], Arrays]:
        """The state besides the constructor's arguments; the values go to JSON."""

    def set_state(self, values: Mapping[str, Any], arrays: Arrays) -> None:
        """Restores the state that `get_state` returned."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A place in a phase: `step` steps of `epoch` are done, both counted from 0.

    `attempt` counts how often the phase started over. With `has_ended` no epoch
    follows. The seconds are the time that the phase and its fit took until here.
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
    """The checkpoints of a run, the run they are `about`, and how often to save.

    Saves at the end of a step or an epoch, `every_seconds` after the last time; with 0,
    after every epoch. Saves less often where that would take more than `share_of_time`.
    A checkpoint includes the history.
    """

    checkpoints: Checkpoints
    about: Mapping[str, Any]
    history_path: Path
    every_seconds: float
    share_of_time: float = 0.02


class Progress:
    """The work that a run has done, and `saved`, a checkpoint to resume from.

    Without `saving` nothing is saved, as in workers other than the chief.
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
        """True if there is a checkpoint to resume from."""
        return self._saved is not None

    def resume(self, model: keras.Model) -> None:
        """Restores the weights a phase started from, and the lines of history."""
        if self._saved is None:
            return
        place = self._saved_place()
        _assign(model.variables, self._saved.arrays["start"])
        if self._saving is not None:
            self._saving.history_path.write_text(self._saved.values["history"])
        done = f"{len(self.finished)} phases done"
        if place is not None:
            done += f", then {place.epoch} epochs and {place.step} steps"
        _logger.info("resuming from a checkpoint: %s", done)

    def is_inside(self, phase: int) -> bool:
        """True if the checkpoint was saved inside this phase."""
        place = self._saved_place()
        return place is not None and place.phase == phase

    def phase_begins(self, phase: int, model: keras.Model) -> int:
        """Notes the weights a phase starts from; returns the attempt to resume at."""
        self._keep_start(model)
        place = self._saved_place()
        is_inside = place is not None and place.phase == phase
        self.place = place if place and is_inside else Place(phase, attempt=0)
        return self.place.attempt

    def attempt_begins(self, attempt: int) -> None:
        """Starts the clocks of an attempt; a saved attempt continues with its own."""
        if attempt != self.place.attempt:
            self.place = Place(self.place.phase, attempt)
            self._saved = None
        self._phase_began = time.monotonic() - self.place.phase_seconds

    def phase_ends(self, result: Mapping[str, Any], model: keras.Model) -> None:
        """Notes the result of a phase, and saves it when that is due."""
        self.finished.append(dict(result))
        self._saved = None
        if self._saving is not None and self.is_due:
            self._keep_start(model)
            self._write(self._saving, None, {})

    def save_trained(self, model: keras.Model) -> None:
        """Saves the trained model, however recent the last checkpoint is.

        A stage after training has failed, and the next run should not train again.
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
        """Seconds since the phase began, without interruptions."""
        return time.monotonic() - self._phase_began

    @property
    def fit_seconds(self) -> float:
        """Seconds since the fit of the phase began, without interruptions."""
        return time.monotonic() - self._fit_began

    @property
    def is_due(self) -> bool:
        """True if it is time to save."""
        if self._saving is None:
            return False
        interval_seconds = self._saving.every_seconds
        if interval_seconds > 0:
            least = self._cost_seconds / self._saving.share_of_time
            interval_seconds = max(interval_seconds, least)
        return time.monotonic() - self._last_seconds >= interval_seconds

    @property
    def saves_inside_epochs(self) -> bool:
        """True if it is time to save and the epoch need not have ended."""
        saving = self._saving
        return saving is not None and saving.every_seconds > 0 and self.is_due

    def fit_begins(self) -> None:
        """Starts the clock of the fit."""
        self._fit_began = time.monotonic() - self.place.fit_seconds

    def restore(self, model: keras.Model, callbacks: Sequence[Stateful]) -> None:
        """Restores model, optimizer and callbacks, if this phase was saved inside."""
        if self._saved is None or not self.is_inside(self.place.phase):
            return
        arrays, values = self._saved.arrays, self._saved.values["callbacks"]
        # Metrics count inside an epoch and start anew with the next one.
        is_inside_epoch = self.place.step > 0
        _assign(_changing(model, with_metrics=is_inside_epoch), arrays["now"])
        for i, callback in enumerate(callbacks):
            callback.set_model(model)
            callback.set_state(values[i], arrays[f"callback{i}"])

    def forget_saved(self) -> None:
        """Frees the memory of the checkpoint's arrays."""
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
        stored = {
            name: saving.checkpoints.store(arrays) for name, arrays in groups.items()
        }
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


class ProgressSaver(keras.callbacks.Callback):
    """Restores the checkpoint when a fit begins, and saves new ones during the fit.

    Comes last, so that it sees the effects of the others. After a signal it saves at
    the end of the step, or of the epoch after its last step, and lets the signal go. It
    saves when the next step begins, because it does not see every end of a step
    (`ThrottledCallbacks`).

    A fit that resumes inside an epoch starts that epoch again, and the steps that were
    done do nothing (`skip_done_steps`).
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

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch != self._progress.place.epoch:
            self._done_steps = 0
        self._progress.restore(self.model, self._stateful)
        if not self._done_steps:
            self._progress.forget_saved()
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        step = batch
        if step and step == self._done_steps:
            # Again: the other callbacks have counted the skipped steps.
            self._progress.restore(self.model, self._stateful)
            self._progress.forget_saved()
        # Images are mixed in pairs, and a checkpoint must not separate a pair.
        is_whole = step * self._batch_size % 2 == 0
        is_due = self._signals.pending or self._progress.saves_inside_epochs
        if step <= self._done_steps or not (is_whole and is_due):
            return
        if not self.model.stop_training:
            self._save(self._epoch, step, has_ended=False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        has_ended = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if self._signals.pending or self._progress.is_due:
            self._save(epoch + 1, 0, has_ended=has_ended)

    def _save(self, epoch: int, step: int, *, has_ended: bool) -> None:
        self._progress.save(
            self.model, self._stateful, epoch=epoch, step=step, has_ended=has_ended
        )
        if self._signals.pending:
            _logger.info("saved a checkpoint; run the same command again to resume")
        self._signals.let_go_if_pending()


def skip_done_steps(model: keras.Model, steps: int) -> None:
    """Makes the first `steps` of the next fit do nothing and take no batch."""
    if not steps:
        return
    model.make_train_function()
    train, left = model.train_function, steps

    def train_or_skip(iterator):
        nonlocal left
        if left == 0:
            return train(iterator)
        left -= 1
        # As after a real step: the epoch may end here, at the deadline.
        return model.get_metrics_result()

    model.train_function = train_or_skip


def _changing(model: keras.Model, *, with_metrics: bool) -> list[keras.Variable]:
    """The variables that a step changes, in the same order in every process."""
    model.optimizer.build(model.trainable_variables)
    metrics = model.metrics_variables if with_metrics else []
    return [*model.variables, *model.optimizer.variables, *metrics]


def _assign(variables: Sequence[keras.Variable], values: Arrays) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _text_of(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
