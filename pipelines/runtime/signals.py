"""SIGINT, SIGTERM and SIGHUP: held back until a step was saved, never forgotten."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# Windows has no SIGHUP, which comes when a terminal or a session is closed.
_ENDING = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
)


class Held:
    """The signal that came, if any, and what would have been done about it."""

    def __init__(self) -> None:
        self.pending: int | None = None
        self._before: dict[int, Any] = {}

    def hold(self) -> None:
        """Holds back what would end the process, and nothing that is ignored."""
        for number in _ENDING:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                self._before[number] = handler
                signal.signal(number, self._receive)

    def let_go(self) -> None:
        """Does what was there to be done before; ends the process if a signal came."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if self.pending is not None:
            came, self.pending = self.pending, None
            signal.raise_signal(came)

    def let_go_if_pending(self) -> None:
        """Lets go of the signal that came, if one did."""
        if self.pending is not None:
            self.let_go()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        # Whoever asks twice does not want to wait.
        asked_before, self.pending = self.pending is not None, number
        if asked_before:
            self.let_go()


@contextlib.contextmanager
def held_back() -> Iterator[Held]:
    """Inside, a first such signal is only noted; a second one ends it at once.

    On leaving, one that came does what it would have done.
    """
    held = Held()
    # Python gives signals to the main thread, and lets no other one ask for them.
    if threading.current_thread() is threading.main_thread():
        held.hold()
    try:
        yield held
    finally:
        held.let_go()


class Noted:
    """Does at once what a signal did before, and remembers that it came.

    What it raises can be lost: Python swallows it where it comes inside of a callback
    of a library or of the garbage collector.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._before: dict[int, Any] = {}

    def watch(self) -> None:
        """Takes the place of what raises something, and of nothing else."""
        for number in _ENDING:
            handler = signal.getsignal(number)
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._receive)

    def stop(self) -> None:
        """Puts back what was there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def obey(self) -> None:
        """Does again what was to be done, if a signal came and nothing ended."""
        if self._came is not None:
            self._before[self._came](self._came, None)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        self._before[number](number, frame)


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Inside, a signal that ends a process does so at the latest at the next `obey`.

    And on leaving, if nothing called that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watching = Noted()
    watching.watch()
    try:
        yield
        watching.obey()
    finally:
        watching.stop()


def obey() -> None:
    """Ends what is going on if a signal has come that was swallowed, where noted."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDING:
        owner = getattr(signal.getsignal(number), "__self__", None)
        if isinstance(owner, Noted):
            owner.obey()
