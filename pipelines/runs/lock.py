"""One run at a time in a run folder."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipelines.errors import ConfigError
from zoo.storage import lock

NAME = ".lock"

_logger = logging.getLogger("zootune")


@contextlib.contextmanager
def alone_in(
    folder: Path,
    *,
    subject: str = "config.workdir",
    instead: str = "Choose another config.workdir.",
) -> Iterator[None]:
    """Keeps other runs of this machine out of a folder while the block runs.

    The kernel lets go of the lock when its owner dies, however that happens, so a lock
    is never stale. The folder is made for it, and removed again if nothing else came
    into it. In the error of a folder that cannot be written, `subject` is what named
    it, and `instead` what to do.

    Raises:
        ConfigError: naming the process that has it, or why the folder cannot be made.
    """
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = _acquired(folder / NAME)
    except OSError as error:  # as in /proc, which claims to take files from root
        raise ConfigError(
            f"{subject} {folder} cannot be written: {error.strerror}. {instead}"
        ) from error
    try:
        yield
    finally:
        # While it is held: whoever waits for this file sees that it was replaced.
        with contextlib.suppress(PermissionError):  # Windows keeps what is open
            (folder / NAME).unlink(missing_ok=True)
        stream.close()
        if not was_there:
            with contextlib.suppress(OSError):  # there is something in it
                folder.rmdir()


def _acquired(path: Path) -> IO[bytes]:
    """The lock file, open and locked; it is the file that stands at `path`."""
    while True:
        stream = lock.open_lock(path)
        try:
            _lock(stream, path)
            if path.exists() and os.path.samestat(
                os.fstat(stream.fileno()), path.stat()
            ):
                return stream
        except BaseException:
            stream.close()
            raise
        stream.close()


def _lock(stream: IO[bytes], path: Path) -> None:
    owner = f"process {os.getpid()} on {platform.node()}"
    try:
        is_ours = lock.acquire(stream, owner)
    except OSError as error:
        _logger.warning(
            "%s cannot be locked (%s): make sure that no other run uses it.",
            path.parent,
            error.strerror,
        )
        return
    if not is_ours:
        other = lock.owner_of(stream) or "another process"
        raise ConfigError(
            f"{path.parent} is in use: {other} has a run in it. Wait for that run or"
            " end it, or choose another config.workdir."
        )
