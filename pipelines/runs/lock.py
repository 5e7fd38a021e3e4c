"""One run at a time in a run folder."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import ConfigError

NAME = ".lock"

_logger = logging.getLogger("zootune")


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Inside, no other process of this machine has a run in the folder.

    The kernel lets go of the lock when its owner dies, however that was, so there is
    none to take over. The folder is made for it, and removed again if nothing else came
    into it.

    Raises:
        ConfigError: naming the process that has it, or why there can be no such folder.
    """
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _acquired(folder / NAME)
    except OSError as error:  # as in /proc, which says that it takes files from root
        raise ConfigError(
            f"config.workdir {folder} cannot be written: {error.strerror}. Choose"
            " another config.workdir."
        ) from error
    try:
        yield
    finally:
        # While it is held: whoever waits for this file finds that it is not the one.
        (folder / NAME).unlink(missing_ok=True)
        os.close(descriptor)
        if not was_there:
            with contextlib.suppress(OSError):  # there is something in it
                folder.rmdir()


def _acquired(path: Path) -> int:
    """A descriptor of the lock file, locked; the file is the one at `path`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _lock(descriptor, path)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                os.ftruncate(descriptor, 0)
                owner = f"process {os.getpid()} on {socket.gethostname()}"
                os.pwrite(descriptor, owner.encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    # Here, so that configs can be read where there is no such call.
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 300, 0).decode(errors="replace")
        raise ConfigError(
            f"{path.parent} is in use: {owner or 'another process'} has a run in it."
            " Wait for that run or end it, or choose another config.workdir."
        ) from error
    except OSError as error:
        _logger.warning(
            "%s cannot be locked (%s): see to it that no other run uses it.",
            path.parent,
            error.strerror,
        )
