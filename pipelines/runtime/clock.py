"""The seconds of the stages of a run, and their log lines."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from pipelines.runtime import signals

_logger = logging.getLogger("zootune")
_PROGRESS_EVERY_SECONDS = 5.0


class Ticker:
    """Logs the progress of a loop every few seconds, where there is no clock."""

    def __init__(self, doing: str, total: int) -> None:
        self._doing, self._total = doing, total
        self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._last > _PROGRESS_EVERY_SECONDS:
            self._last = time.monotonic()
            _logger.info("  %s: %d of %d", self._doing, done, self._total)


class Clock:
    """Seconds per stage of one run; every stage is logged when it starts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._last_progress = self._started

    @contextlib.contextmanager
    def stage(self, name: str, doing: str) -> Iterator[None]:
        """Times the body; before and after it, a signal that came ends the run."""
        signals.obey()
        _logger.info("[%6.1f s] %s: %s", self.total_seconds, name, doing)
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started
        signals.obey()

    def part(self, doing: str) -> None:
        """Logs the next part of the running stage."""
        self._last_progress = time.monotonic()
        _logger.info("[%6.1f s]   %s", self.total_seconds, doing)

    def progress(self, done: int, total: int) -> None:
        """Logs the progress of the running stage every few seconds."""
        signals.obey()
        if time.monotonic() - self._last_progress > _PROGRESS_EVERY_SECONDS:
            self._last_progress = time.monotonic()
            _logger.info("[%6.1f s]   %d of %d", self.total_seconds, done, total)

    @property
    def total_seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def deadline(self, budget_seconds: float) -> float:
        """The end of a budget, on the clock of `time.monotonic`; 0 is unlimited."""
        return self._started + (budget_seconds or float("inf"))
