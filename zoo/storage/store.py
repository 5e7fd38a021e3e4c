"""The store of fetched files: whole or not there, and verified on each use.

store/entries/KEY/content/...      what was fetched
store/entries/KEY/manifest.json    its source, and the sha256 and size of every file
store/unfinished/                  parts of downloads, for the next attempt
store/locks/
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import CorruptEntryError, StoreError
from zoo.storage import durable
from zoo.storage.hashing import hash_file
from zoo.storage.home import expanded, home, required

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PRIVATE = 0o700
_MANIFEST = "manifest.json"


def folder() -> Path:
    """The folder of the store, which may not exist yet.

    It lies in `ZOOTUNE_HOME`, or else in `zootune` in the user's cache folder.

    Raises:
        StoreError: if no variable names a folder, and the user has no home.
    """
    named = os.environ.get("ZOOTUNE_HOME")
    if named:
        return expanded(named).absolute() / "store"
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache else required(of="the store") / ".cache"
    return base.absolute() / "zootune" / "store"


def has_folder() -> bool:
    """True if a folder for the store is known; it need not exist yet."""
    variables = ("ZOOTUNE_HOME", "XDG_CACHE_HOME")
    return any(map(os.environ.get, variables)) or home() is not None


def content(key: str) -> Path:
    """The path of the content of an entry, which may not exist; not verified."""
    return _entry(key) / "content"


def verified(key: str) -> Path | None:
    """The content of an entry, if there is one, after every byte of it was checked.

    Raises:
        CorruptEntryError: if a file is missing, new or changed; the message names it.
    """
    if not _entry(key).is_dir():
        return None
    try:
        manifest = json.loads((_entry(key) / _MANIFEST).read_text())
        expected: dict[str, Any] = manifest["files"]
        actual = _describe(content(key))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _corrupt(_entry(key), f"cannot be read ({error})") from error
    for name in sorted({*expected, *actual}):
        if name not in actual:
            raise _corrupt(content(key) / name, "is missing")
        if expected.get(name) != actual[name]:
            raise _corrupt(content(key) / name, "is not what was put there")
    return content(key)


def put(key: str, fill: Callable[[Path], None], *, source: str) -> Path:
    """Makes or replaces an entry from what `fill` writes into an empty folder.

    It appears by one rename, after everything is on disk. The caller holds the lock.
    """
    new = unfinished(key)
    _remove(new)
    new.mkdir(mode=_PRIVATE)
    (new / "content").mkdir(mode=_PRIVATE)
    try:
        fill(new / "content")
        durable.sync_all(new / "content")
        manifest = {"source": source, "files": _describe(new / "content")}
        (new / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        durable.sync_all(new)
        _exchange(new, _entry(key))
    except BaseException:
        _remove(new)
        raise
    return content(key)


def unfinished(key: str, suffix: str = "") -> Path:
    """The path for work on an entry, in a folder that is there and is private."""
    return _private("unfinished") / f"{_checked(key)}{suffix}"


def lock_path(key: str) -> Path:
    """The path of the lock of an entry."""
    return _private("locks") / f"{_checked(key)}.lock"


def copy(source: Path, target: Path) -> None:
    """Copies a file so that the target is whole and on disk, or as it was before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as to, source.open("rb") as stream:
            shutil.copyfileobj(stream, to, 1 << 20)
            to.flush()
            os.fsync(to.fileno())
        # Unlike the store, a copy is for everybody whom the user's umask lets in.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        durable.sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def copy_folder(source: Path, target: Path) -> None:
    """Copies a folder so that the target is whole and on disk, or is not there.

    Raises:
        OSError: if there is a target already, with something in it, or it cannot be.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o777 & ~_umask()
    with durable.publish_folder(target, mode=mode) as folder:
        for path in source.rglob("*"):
            if path.is_file():
                copy(path, folder / path.relative_to(source))


def _umask() -> int:
    """The permissions that files of this process do not give; asked by setting it."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _entry(key: str) -> Path:
    return folder() / "entries" / _checked(key)


def _checked(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise StoreError(
            f"'{key}' cannot name an entry of the store: expected letters, digits,"
            " dots, hyphens and underscores."
        )
    return key


def _private(name: str) -> Path:
    """A folder of the store, made if need be, that nobody else can look into."""
    root = folder()
    try:
        root.parent.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
        root.mkdir(exist_ok=True, mode=_PRIVATE)
        # A link, or a folder of someone else, could change under us.
        status = root.lstat()
        # Windows has no such numbers: its caches are folders of the user.
        is_mine = not hasattr(os, "geteuid") or status.st_uid == os.geteuid()
        if not (is_mine and stat.S_ISDIR(status.st_mode)):
            raise StoreError(
                f"{root} is not a folder of yours, so what lies there could be changed"
                " by others. Set ZOOTUNE_HOME to a folder that is yours."
            )
        if stat.S_IMODE(status.st_mode) != _PRIVATE:
            root.chmod(_PRIVATE)
        (root / name).mkdir(exist_ok=True, mode=_PRIVATE)
    except OSError as error:
        raise StoreError(
            f"The store {root} cannot be written: {error.strerror}. Set ZOOTUNE_HOME to"
            " a folder that takes files from you."
        ) from error
    return root / name


def _describe(root: Path) -> dict[str, dict[str, Any]]:
    """Digest and size of every file below a folder, by its relative name."""
    facts = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ValueError(f"{path} is neither a file nor a folder")
        if path.is_file():
            name = path.relative_to(root).as_posix()
            digest = hash_file(path, "sha256")
            facts[name] = {"sha256": digest, "bytes": path.stat().st_size}
    return facts


def _exchange(new: Path, final: Path) -> None:
    _private("entries")
    if final.exists():
        old = new.with_name(f"{new.name}.old")
        _remove(old)
        final.rename(old)
        new.rename(final)
        _remove(old)
    else:
        new.rename(final)
    durable.sync(final.parent)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _corrupt(path: Path, problem: str) -> CorruptEntryError:
    return CorruptEntryError(f"{path} {problem}. It was not used.")
