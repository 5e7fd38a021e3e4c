"""Callbacks of a phase: the best weights, a time limit, and a line per epoch.

None of them needs every end of a step: see `ThrottledCallbacks`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.errors import ConfigError, TrainingError

_SECONDS_BETWEEN_READS = 0.1

# Accuracy first; the lower loss breaks ties, a finer measure on small splits.
Score = tuple[float, float]
Callbacks = Sequence[keras.callbacks.Callback]


def score(accuracy: float, loss: float) -> Score:
    """A validation result that compares; NaN is worse than any number."""
    return (accuracy, -loss) if math.isfinite(loss) else (-1.0, -math.inf)


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best epoch, and stops after epochs without a better one.

    An epoch below the accuracy `to_reach` does not count as better: a guarded phase
    that only recovers from its first steps does not continue. With `loss_to_reach`
    training ends after the first epoch if that is worse than both. The weights return
    to the model only by `restore`, so that the receipt measures the training itself.
    """

    def __init__(
        self,
        *,
        patience_epochs: int,
        to_reach: float = -math.inf,
        loss_to_reach: float = math.inf,
        metric: str = "accuracy",
    ) -> None:
        super().__init__()
        self.best = (-math.inf, -math.inf)
        self.best_epoch = 0
        self._patience_epochs = patience_epochs
        self._to_reach = to_reach
        self._loss_to_reach = loss_to_reach
        self._metric = metric
        self._hopeful_epoch = 0
        self._values: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._values = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        reached = score(logs[f"val_{self._metric}"], logs["val_loss"])
        if reached > self.best:
            self.best, self.best_epoch = reached, epoch + 1
            self._values = self.model.get_weights()
            if reached[0] >= self._to_reach:
                self._hopeful_epoch = epoch + 1
        is_harm = reached[0] < self._to_reach and -reached[1] > self._loss_to_reach
        is_late = epoch + 1 - self._hopeful_epoch >= self._patience_epochs
        if is_late or (epoch == 0 and is_harm):
            self.model.stop_training = True

    def get_state(self) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
        """The best result so far and its weights, for a checkpoint."""
        values = {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "hopeful_epoch": self._hopeful_epoch,
        }
        return values, self._values or ()

    def set_state(
        self, values: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> None:
        """Restores the state that `get_state` returned."""
        self.best, self.best_epoch = tuple(values["best"]), values["best_epoch"]
        self._hopeful_epoch = values["hopeful_epoch"]
        self._values = list(arrays)

    def restore(self) -> None:
        """Puts the best weights back: the first ones if no epoch ended."""
        self.model.set_weights(self._values)


class TimeLimit(keras.callbacks.Callback):
    """Stops training after the first step that begins at the deadline or later.

    The deadline is in seconds of `time.monotonic`.
    """

    def __init__(self, deadline_seconds: float) -> None:
        super().__init__()
        self._deadline_seconds = deadline_seconds

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if time.monotonic() > self._deadline_seconds:
            self.model.stop_training = True


class ThrottledCallbacks(keras.callbacks.CallbackList):
    """A list of callbacks that see the end of a step ten times a second at most.

    Keras reads the metrics of a step for them, and so waits for the device before it
    starts the next step.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], **options: Any
    ) -> None:
        super().__init__(list(callbacks), add_history=True, **options)
        self._read_seconds = -math.inf

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._is_time():
            super().on_train_batch_end(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._is_time():
            super().on_test_batch_end(batch, logs)

    def _is_time(self) -> bool:
        now = time.monotonic()
        is_time = now - self._read_seconds >= _SECONDS_BETWEEN_READS
        if is_time:
            self._read_seconds = now
        return is_time


def sees_steps(callback: keras.callbacks.Callback) -> bool:
    """True if a callback does something at the end of a step, and so needs each."""
    return any(
        # An instance may have a function of its own, as a `LambdaCallback` has.
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in ("on_train_batch_end", "on_batch_end", "on_test_batch_end")
    )


def require_callbacks(callbacks: object) -> None:
    """Raises `ConfigError` unless these are callbacks of Keras, in a list."""
    if not isinstance(callbacks, (list, tuple)):
        raise ConfigError(
            f"callbacks is {type(callbacks).__name__}, and it is a list of objects of"
            " keras.callbacks.Callback. Write callbacks=[...]."
        )
    for index, each in enumerate(callbacks):
        if isinstance(each, keras.callbacks.Callback):
            continue
        what = f"of {type(each).__module__}.{type(each).__name__}"
        advice = "Derive its class from keras.callbacks.Callback"
        if isinstance(each, type):
            what, advice = f"the class {each.__name__}", f"Write {each.__name__}()"
        raise ConfigError(
            f"callbacks[{index}] is {what}, and not an object of"
            f" keras.callbacks.Callback of Keras {keras.__version__}. {advice}."
        )


class StopsAtNaN(keras.callbacks.Callback):
    """Ends training at a loss that is not finite, and keeps the `step` of the epoch.

    Among `ThrottledCallbacks` it does not see every step, so `step` may come later.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step: int | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.step is None and not math.isfinite(logs["loss"]):
            self.step = batch + 1
            self.model.stop_training = True


class HistoryLines(keras.callbacks.Callback):
    """Appends one JSON line per epoch to a file, at once, so that it can be watched."""

    def __init__(self, path: Path, *, phase: str) -> None:
        super().__init__()
        self._path = path
        self._phase = phase
        self._started_seconds = 0.0
        self.epochs: list[dict[str, float]] = []

    def get_state(self) -> tuple[dict[str, Any], Sequence[np.ndarray]]:
        """The lines so far, for a checkpoint."""
        return {"epochs": self.epochs}, ()

    def set_state(
        self, values: Mapping[str, Any], arrays: Sequence[np.ndarray]
    ) -> None:
        """Restores the state that `get_state` returned."""
        self.epochs = list(values["epochs"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started_seconds = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.monotonic() - self._started_seconds
        line = {"epoch": epoch + 1, "seconds": round(seconds, 3)}
        line.update({name: float(value) for name, value in logs.items()})
        self.epochs.append(line)
        # JSON has no word for NaN.
        written = {k: v if math.isfinite(v) else None for k, v in line.items()}
        try:
            with self._path.open("a") as stream:
                stream.write(json.dumps({"phase": self._phase, **written}) + "\n")
        except OSError as error:
            raise TrainingError(
                f"{self._path} cannot be written: {error.strerror}. The last checkpoint"
                " is complete: fix this and run the same command again."
            ) from error
