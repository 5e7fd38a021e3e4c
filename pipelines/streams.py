"""Standard streams of a process that was started without them, as services are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def open_closed() -> None:
    """Opens the null device in place of those that are closed.

    Otherwise the next file that is opened gets the number of one, and what a library
    writes to stderr, which C++ does by its number, goes into that file.
    """
    for number, (name, mode) in enumerate(_MODES.items()):
        if getattr(sys, name) is not None:
            continue
        if not _is_open(number):
            # POSIX gives the lowest number that is free: those below are taken by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - it stays
        setattr(sys, name, nowhere)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
