"""SIGINT, SIGTERM and SIGHUP, held back until a step has ended and was saved."""

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
