"""Inspections of files, kept as long as the files do not change.

A file counts as unchanged if its path, size and both times are. The inspection of a
file that was written just before is never kept: the file could be written again within
the granularity of its times and seem unchanged. Git calls that racily clean:
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

# Raised whenever an inspection of the same bytes may give another result.
_CHECK_VERSION = 3
_PACKAGES = (
    "tensorflow",
    "tensorflow-cpu",
    "pillow",
    "simplejpeg",
    "imagehash",
)
# The coarsest time stamps that are in use, those of FAT.
_GRANULARITY_NS = 2 * 10**9
_KEPT_DAYS = 180
# The wait for another process that writes; then this one continues without the cache.
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
    """The folder of the cache, beside the store of weights; it may not exist yet."""
    return store.folder().parent / "checks"


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of a file of this status."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_settled(stamp: Stamp, *, inspected_ns: int) -> bool:
    """True if any later change of the file shows in its times."""
    return stamp[1] < inspected_ns - _GRANULARITY_NS


def version(maximum_megapixels: float) -> str:
    """The parts of the program and the limit that an inspection depends on."""
    parts = [f"check {_CHECK_VERSION}", f"{maximum_megapixels:g} megapixels"]
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(parts)


class InspectionCache:
    """The last inspections of files, by their absolute paths."""

    def __init__(self, connection: sqlite3.Connection, *, version: str) -> None:
        self._connection = connection
        self._version = version
        self.has_written = False

    def find(self, stamps: Mapping[str, Stamp]) -> dict[str, Inspection]:
        """The inspections of the files that have not changed."""
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
        """Keeps inspections, in place of earlier ones of the same files."""
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
        """Drops inspections of half a year ago, so that the file stops growing."""
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
    """Logs a failure of the cache, as on a full disk, and continues."""
    try:
        yield
    except (sqlite3.Error, ValueError) as error:
        _log.warning("The cache of inspections cannot be used: %s.", error)


@contextlib.contextmanager
def opened(*, maximum_megapixels: float) -> Iterator[InspectionCache | None]:
    """The cache of this user, or None if it cannot be opened; that is logged.

    Several processes may have it open. It is private, because its content is trusted.
    """
    try:
        connection = _connect(_private_folder() / "looks.sqlite3")
    except (OSError, sqlite3.Error, StoreError) as error:
        _log.warning("Files are inspected without a cache: %s.", error)
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
        path.unlink()  # not a database, or damaged; every inspection can be repeated
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
