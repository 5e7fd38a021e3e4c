"""Looks at files, kept for as long as the files stay as they were.

A file is taken to be unchanged if its path, its size and both of its times are. One
that was written just before it was looked at is never kept: it could be written again
within the granularity of its times and look unchanged. Git calls that racily clean:
https://git-scm.com/docs/racy-git.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.data.checks.inspection import Inspection
from zoo.errors import StoreError
from zoo.storage import store

# Raised whenever a look at the same bytes may find something else.
_CHECK_VERSION = 2
_LOOKED_WITH = (
    "tensorflow",
    "tensorflow-cpu",
    "pillow",
    "simplejpeg",
    "imagehash",
)
# The coarsest time stamps that are in use, those of FAT.
_GRANULARITY_NS = 2 * 10**9
_KEPT_DAYS = 180
# What another process may take to write, before this one goes on without the cache.
_LOCK_SECONDS = 30.0
_AT_ONCE = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS looks (
    path BLOB, version TEXT, size_bytes INTEGER, modified_ns INTEGER,
    changed_ns INTEGER, day INTEGER, look TEXT, PRIMARY KEY (path, version)
) WITHOUT ROWID
"""
_log = logging.getLogger(__name__)

# Size in bytes, when the content changed and when anything about the file did, in ns.
Stamp = tuple[int, int, int]


def folder() -> Path:
    """Where the cache lies, which may not be there yet: beside the store of weights."""
    return store.folder().parent / "checks"


def stamp_of(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_settled(stamp: Stamp, *, looked_ns: int) -> bool:
    """Whether a later change of the file would show in its times."""
    return stamp[1] < looked_ns - _GRANULARITY_NS


def version(maximum_megapixels: float) -> str:
    """What a look depends on besides the file."""
    parts = [f"check {_CHECK_VERSION}", f"{maximum_megapixels:g} megapixels"]
    for package in _LOOKED_WITH:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(parts)


class InspectionCache:
    """What was found when files were last looked at, by their absolute paths."""

    def __init__(self, connection: sqlite3.Connection, *, version: str) -> None:
        self._connection = connection
        self._version = version
        self.has_written = False

    def find(self, stamps: Mapping[str, Stamp]) -> dict[str, Inspection]:
        """The looks at those files that are as they were."""
        inspections = {}
        paths = list(stamps)
        with _going_on_without():
            for start in range(0, len(paths), _AT_ONCE):
                for path, stamp, inspection in self._rows(
                    paths[start : start + _AT_ONCE]
                ):
                    if stamps[path] == stamp:
                        inspections[path] = inspection
        return inspections

    def keep(self, inspections: Mapping[str, tuple[Stamp, Inspection]]) -> None:
        """Keeps inspections; those that were there of the same files are replaced."""
        rows = [
            (os.fsencode(path), self._version, *stamp, _today(), inspection.to_json())
            for path, (stamp, inspection) in inspections.items()
        ]
        with _going_on_without(), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO looks VALUES (?, ?, ?, ?, ?, ?, ?)", rows
            )
            self.has_written = True

    def forget_old(self) -> None:
        """Drops what was kept half a year ago, so that the file does not grow on."""
        with _going_on_without(), self._connection:
            self._connection.execute(
                "DELETE FROM looks WHERE day < ?", (_today() - _KEPT_DAYS,)
            )

    def _rows(self, paths: Sequence[str]) -> Iterator[tuple[str, Stamp, Inspection]]:
        marks = ", ".join("?" * len(paths))
        rows = self._connection.execute(
            "SELECT path, size_bytes, modified_ns, changed_ns, look FROM looks"
            f" WHERE version = ? AND path IN ({marks})",
            (self._version, *map(os.fsencode, paths)),
        )
        for path, size, modified, changed, look in rows:
            yield (
                os.fsdecode(path),
                (size, modified, changed),
                Inspection.from_json(look),
            )


@contextlib.contextmanager
def _going_on_without() -> Iterator[None]:
    """A cache that fails, as on a full disk, costs time and stops nothing."""
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        _log.warning("The cache of looked-at files cannot be used: %s.", error)


@contextlib.contextmanager
def opened(*, maximum_megapixels: float) -> Iterator[InspectionCache | None]:
    """The cache of this user, or None where there can be none; that is logged.

    Several processes may have it open. It is private: what it says is believed.
    """
    try:
        connection = _connect(_private_folder() / "looks.sqlite3")
    except (OSError, sqlite3.Error, StoreError) as error:
        _log.warning("Files are looked at without a cache: %s.", error)
        yield None
        return
    try:
        yield InspectionCache(connection, version=version(maximum_megapixels))
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return _with_table(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # locked, or no space: nothing is wrong with the file
        path.unlink()  # no database, or a damaged one: all of it can be found again
        _log.warning("The cache %s was damaged (%s); it begins anew.", path, error)
        return _with_table(path)


def _with_table(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_LOCK_SECONDS)
    try:
        with connection:
            connection.execute(_TABLE)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _private_folder() -> Path:
    place = folder()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = place.lstat()
    is_mine = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
    if not (is_mine and stat.S_ISDIR(status.st_mode)):
        raise PermissionError(f"{place} is not a folder of yours")
    if stat.S_IMODE(status.st_mode) != 0o700:
        place.chmod(0o700)
    return place


def _today() -> int:
    return int(time.time() // 86400)
