"""Files and folders that are on disk for good, and that a crash leaves whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on disk."""
    if os.name == "nt":  # which flushes only what is open for writing
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> None:
    """Waits until a folder and everything below it are on disk."""
    for path in (*folder.rglob("*"), folder):
        sync(path)


def unfinished_name(path: Path) -> str:
    """The name of a file, beside its place, until it is whole."""
    return f".{path.name}.new"


def write_whole(path: Path, pieces: Iterable[Any]) -> None:
    """Writes a file of bytes that is either whole and on disk, or as it was before."""
    unfinished = path.with_name(unfinished_name(path))
    try:
        with unfinished.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(path.parent)


@contextlib.contextmanager
def publish_folder(
    target: Path, *, prefix: str | None = None, mode: int = 0o755
) -> Iterator[Path]:
    """An empty folder beside `target` that takes its place when the block ends.

    By then everything in it is on disk. A block that raises leaves no folder. Until the
    end its name begins with `prefix`, by default a dot and the name of the target, and
    it is the user's alone.

    Raises:
        OSError: if the target exists and has something in it, or cannot be written.
    """
    prefix = f".{target.name}." if prefix is None else prefix
    unfinished = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        yield unfinished
        unfinished.chmod(mode)
        sync_all(unfinished)
        unfinished.replace(target)
        sync(target.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
