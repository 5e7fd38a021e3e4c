"""How long the stages of a run take, and what they say while they run."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from pipelines.runtime import signals

_logger = logging.getLogger("zootune")
_PROGRESS_EVERY_SECONDS = 5.0


class Ticker:
    """Says how far something is, every few seconds, where no clock is at hand."""

    def __init__(self, doing: str, total: int) -> None:
        self._doing, self._total = doing, total
        self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self._last > _PROGRESS_EVERY_SECONDS:
            self._last = time.monotonic()
            _logger.info("  %s: %d of %d", self._doing, done, self._total)


class Clock:
    """Seconds per stage of one run; every stage is announced when it starts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._last_progress = self._started

    @contextlib.contextmanager
    def stage(self, name: str, doing: str) -> Iterator[None]:
        """Times what is done inside; before and after, a signal that came ends it."""
        signals.obey()
        _logger.info("[%6.1f s] %s: %s", self.total_seconds, name, doing)
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started
        signals.obey()

    def part(self, doing: str) -> None:
        """Says what the running stage does next."""
        self._last_progress = time.monotonic()
        _logger.info("[%6.1f s]   %s", self.total_seconds, doing)

    def progress(self, done: int, total: int) -> None:
        """Says how far the running stage is, every few seconds."""
        signals.obey()
        if time.monotonic() - self._last_progress > _PROGRESS_EVERY_SECONDS:
            self._last_progress = time.monotonic()
            _logger.info("[%6.1f s]   %d of %d", self.total_seconds, done, total)

    @property
    def total_seconds(self) -> float:
        return time.monotonic() - self._started

    def deadline(self, budget_seconds: float) -> float:
        """When a budget ends, on the clock of `time.monotonic`; 0 is no limit."""
        return self._started + (budget_seconds or float("inf"))
