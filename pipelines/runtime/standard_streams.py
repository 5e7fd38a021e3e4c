"""Standard streams of a process that was started without them, as services are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed() -> None:
    """Opens the null device in place of closed streams.

    Otherwise the next file that is opened gets the number of one, and what a library
    writes to stderr, which C++ does by its number, goes into that file.
    """
    closed = [name for name in _MODES if getattr(sys, name) is None]
    # First all numbers: POSIX gives the lowest one that is free.
    for number, name in enumerate(_MODES):
        if name in closed and not _is_open(number):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in closed:
        nowhere = Path(os.devnull).open(_MODES[name], encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, nowhere)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
