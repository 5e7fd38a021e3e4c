"""Locks between processes that end with their owner, however that ends.

The kernel lets go of them when the owner dies, so there is no stale lock to wait for
and no process number to guess from. The owner in the file is for people to read.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from zoo.errors import StoreError

_POLL_SECONDS = 0.05
# Windows locks the first byte of a file, and lets nobody else read it.
_OWNER_AT = 1


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
    with open_lock(path) as stream:
        _acquire(stream, path, timeout_seconds, on_wait)
        yield


def open_lock(path: Path) -> IO[bytes]:
    """The file of a lock, made if need be; closing it lets go of the lock."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)


def acquire(stream: IO[bytes], owner: str) -> bool:
    """Takes an open lock in the name of its owner, unless somebody has it.

    Raises:
        OSError: if this disk has no locks.
    """
    # Here, so that listing backbones does not wait for it.
    import filelock

    if not filelock.lock_descriptor(stream.fileno(), blocking=False):
        return False
    stream.seek(0)
    stream.truncate()
    stream.write(b" " * _OWNER_AT + owner.encode())
    return True


def owner_of(stream: IO[bytes]) -> str:
    """The name that the owner of an open lock has left, if any."""
    stream.seek(_OWNER_AT)
    return stream.read(300).decode(errors="replace")


def _acquire(
    stream: IO[bytes],
    path: Path,
    timeout_seconds: float,
    on_wait: Callable[[str], None],
) -> None:
    deadline = time.monotonic() + timeout_seconds
    has_waited = False
    while not acquire(stream, f"process {os.getpid()}"):
        owner = owner_of(stream) or "an unknown process"
        if not has_waited:
            on_wait(owner)
            has_waited = True
        if time.monotonic() > deadline:
            raise StoreError(
                f"{owner} has held {path} for {timeout_seconds:.0f} s. Wait for it to"
                " end or end it, and try again."
            )
        time.sleep(_POLL_SECONDS)
