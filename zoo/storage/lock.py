"""A lock between processes that ends with its owner, however that ends.

The kernel lets go of `flock` when the owner dies, so there is no stale lock to wait for
and no process number to guess from. The number in the file is for people to read.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.errors import StoreError

_POLL_SECONDS = 0.05


@contextlib.contextmanager
def exclusive(
    path: Path,
    *,
    timeout_seconds: float = 3600.0,
    on_wait: Callable[[str], None] = lambda _owner: None,
) -> Iterator[None]:
    """Holds the lock at `path`; calls `on_wait` once, with the owner, if it is taken.

    The file stays: removing it would let two processes lock two files of one name.

    Raises:
        StoreError: if a living process keeps the lock longer than the time limit.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, timeout_seconds, on_wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(
    descriptor: int,
    path: Path,
    timeout_seconds: float,
    on_wait: Callable[[str], None],
) -> None:
    deadline = time.monotonic() + timeout_seconds
    told = False
    while not _try(descriptor):
        owner = f"process {os.pread(descriptor, 20, 0).decode() or '(unknown)'}"
        if time.monotonic() > deadline:
            raise StoreError(
                f"{owner} has held {path} for {timeout_seconds:.0f} s. Wait for it to"
                " end or end it, and try again."
            )
        if not told:
            on_wait(owner)
            told = True
        time.sleep(_POLL_SECONDS)


def _try(descriptor: int) -> bool:
    # Here, so that listing backbones works where there is no such call.
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
