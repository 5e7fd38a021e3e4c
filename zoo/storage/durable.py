"""What is on disk for good: files and folders that a crash leaves whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on disk."""
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
    """What a file is called, beside its place, until it is whole."""
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
