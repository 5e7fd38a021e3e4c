"""How far a transfer is, on stderr: a bar on a terminal, a few plain lines if not."""

from __future__ import annotations

import sys
from collections.abc import Callable

# Called with the bytes that are here and, where it is known, how many there will be.
Progress = Callable[[int, "int | None"], None]
_BAR_WIDTH = 30
_STEP_PERCENT = 25
_STEP_BYTES = 50 * 10**6


def silent(_bytes_here: int, _bytes_total: int | None) -> None:
    """Shows nothing."""


def on_stderr(name: str) -> Progress:
    """Progress of the transfer called `name`."""
    if sys.stderr is None:  # a service may have none
        return silent
    # What stands in its place, as a logger, may have nothing but `write` and `flush`.
    is_terminal = getattr(sys.stderr, "isatty", bool)()
    return _bar(name) if is_terminal else _lines(name)


def _bar(name: str) -> Progress:
    shown = -1

    def show(here: int, total: int | None) -> None:
        nonlocal shown
        step = here * 100 // total if total else here // 10**6
        if step == shown:
            return
        shown = step
        done = here == total
        filled = _BAR_WIDTH * here // total if total else 0
        bar = f" [{'#' * filled:<{_BAR_WIDTH}}]" if total else ""
        end = "\n" if done else ""
        print(f"\r{name}{bar} {_size(here, total)}", end=end, file=sys.stderr)

    return show


def _lines(name: str) -> Progress:
    shown = -1

    def show(here: int, total: int | None) -> None:
        nonlocal shown
        step = here * 100 // total // _STEP_PERCENT if total else here // _STEP_BYTES
        if step != shown:
            shown = step
            print(f"{name}: {_size(here, total)}", file=sys.stderr, flush=True)

    return show


def _size(here: int, total: int | None) -> str:
    of = f" of {total / 1e6:.1f}" if total else ""
    return f"{here / 1e6:.1f}{of} MB"
