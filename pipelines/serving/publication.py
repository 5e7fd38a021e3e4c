"""The publication of an artifact: made in a hidden folder, then there as a whole.

Imports no TensorFlow.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

from pipelines.errors import ArtifactError
from pipelines.serving.artifact import VERSION_NAME, refuse_odd_files

# A graph, its assets and file system overhead, on top of the weights.
_OVERHEAD_BYTES = 32 * 2**20
# No version number, so that a server does not take it for one.
_UNPUBLISHED = ".unpublished-"
_REFUSED = "refused-"
# The report on an export that was refused, beside it.
REFUSAL = "parity.json"
_ABANDONED_AFTER_SECONDS = 3600

_logger = logging.getLogger("zootune")


def require_space(base: Path, weight_bytes: int) -> None:
    """Raises `ArtifactError` unless the disk can take an export of this size."""
    needed = weight_bytes + _OVERHEAD_BYTES
    free = shutil.disk_usage(base).free
    if free < needed:
        raise ArtifactError(
            f"There is no space to export to {base}: {needed / 1e6:.0f} MB are needed"
            f" and {free / 1e6:.0f} MB are free. Nothing was written."
        )


@contextlib.contextmanager
def unpublished(base: Path) -> Iterator[Path]:
    """A folder below `base` in which a version is made; no server takes it for one.

    It goes at the end, unless it was published. What exports that were killed have left
    goes at the beginning: what was made on this machine, because its maker has it
    locked while it lives; and what another machine has made, whose locks may not be
    seen here, if nothing was written for an hour.
    """
    prefix = f"{_UNPUBLISHED}{_this_machine()}-"
    with _locked(base):  # so that nobody sees a folder that is not locked yet
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        descriptor = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a disk without locks: the hour has to do
            _lock(descriptor)
    try:
        folder.chmod(0o755)  # mkdtemp makes 0700; a server may be another user
        # By the clock of the disk, which may be another machine's.
        _remove_abandoned(base, now_seconds=folder.stat().st_mtime)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _this_machine() -> str:
    """A name for this machine since it was started, for names of files."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:  # no Linux
        started = ""
    identity = f"{socket.gethostname()} {started}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


@contextlib.contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Waits for the lock of a folder that this machine's exports share."""
    descriptor = os.open(base, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a disk without locks
            filelock.lock_descriptor(descriptor)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(base: Path, *, now_seconds: float) -> None:
    here = f"{_UNPUBLISHED}{_this_machine()}-"
    with _locked(base):
        left = list(base.glob(f"{_UNPUBLISHED}*"))
    for path in left:
        # Another export removes it too, or it is not ours to remove.
        with contextlib.suppress(OSError):
            written = max(p.lstat().st_mtime for p in (path, *path.rglob("*")))
            is_old = now_seconds - written > _ABANDONED_AFTER_SECONDS
            if is_old or path.name.startswith(here):
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _lock(descriptor)
        shutil.rmtree(path)
        _logger.info("%s was removed: an export that was killed left it.", path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Locks a folder until its descriptor is closed, however the process ends.

    Raises:
        OSError: if somebody has it locked, or it cannot be locked.
    """
    if not filelock.lock_descriptor(descriptor, blocking=False):
        raise BlockingIOError("somebody has it locked")


def publish(unpublished: Path, base: Path) -> Path:
    """Gives a complete folder the next version number, by one rename.

    Every file is on disk before the rename, so a version that is seen is whole.

    Raises:
        ArtifactError: if there is anything in it but plain files and folders.
    """
    refuse_odd_files(unpublished)
    for path in unpublished.rglob("*"):
        _flush(path)
    _flush(unpublished)
    while True:
        # Files count too: a name that anything has is taken.
        names = [path.name for path in base.iterdir()]
        taken = [int(name) for name in names if VERSION_NAME.fullmatch(name)]
        target = base / str(max(taken, default=0) + 1)
        try:
            unpublished.rename(target)
        except OSError:
            # Another export took the number first; anything else is a real error.
            if not target.exists():
                raise
            continue
        _flush(base)
        return target


def keep_refused(unpublished: Path, base: Path, about: Mapping[str, Any]) -> Path:
    """Gives an export that was refused a name that no server takes for a version.

    Nothing removes it but its owner. It has no manifest, so that nothing loads it by
    mistake, and the file `REFUSAL` says what there is to know `about` it.
    """
    text = json.dumps(about, indent=2, allow_nan=False)
    (unpublished / REFUSAL).write_text(text + "\n", encoding="utf-8")
    number = len(refused(base))
    while True:
        number += 1
        target = base / f"{_REFUSED}{number}"
        if target.exists():
            continue
        unpublished.rename(target)
        return target


def refused(base: Path) -> list[Path]:
    """The exports below a base folder that were refused."""
    return sorted(path for path in base.glob(f"{_REFUSED}*") if path.is_dir())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
