"""Folders of versions below a base path, listed within bounds and past no link.

A disk may answer after seconds, or with an error. So nothing here runs on the event
loop, and what cannot be read raises `OSError`, so that the caller knows that nothing
was seen: a version that is served is never let go for a disk that does not answer.
"""

from __future__ import annotations

import dataclasses
import errno
import itertools
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from pipelines.errors import ArtifactError
from pipelines.serving import artifact

GRAPH = "saved_model.pb"
# What TensorFlow reads of a SavedModel, and what we do.
_OWN_FILES = (GRAPH, "fingerprint.pb", artifact.MANIFEST)
_OWN_FOLDERS = ("variables", "assets", "assets.extra")
_MOST_FILES = 10_000
_MOST_ENTRIES = 100_000

Fingerprint = tuple[object, ...]


@dataclasses.dataclass(frozen=True)
class Seen:
    """The folders of versions by number, and fingerprints of some of them."""

    folders: dict[int, Path]
    fingerprints: dict[int, Fingerprint]


def look(base_path: Path, *, fingerprints_of: Collection[int] = ()) -> Seen:
    """The folders of versions below a base path now.

    A link with the name of a version counts as one, so that it can be said why it is
    not served.

    Raises:
        OSError: if that cannot be read.
    """
    folders = {
        int(entry.name): Path(entry.path)
        for entry in sorted(_entries(base_path, _MOST_ENTRIES), key=lambda e: e.name)
        if artifact.VERSION_NAME.fullmatch(entry.name)
        and (entry.is_symlink() or entry.is_dir(follow_symlinks=False))
    }
    numbers = [number for number in fingerprints_of if number in folders]
    return Seen(folders, {number: fingerprint(folders[number]) for number in numbers})


def fingerprint(folder: Path) -> Fingerprint:
    """A value that changes when a file of a version does.

    Only a SavedModel's own files are looked at. What cannot be read counts by its
    error, and what is behind a link, or behind too many files, does not count.
    """
    facts: list[object] = [_facts(folder), *(_facts(folder / n) for n in _OWN_FILES)]
    for name in _OWN_FOLDERS:
        try:
            paths = [Path(entry.path) for entry in _below(folder / name)]
        except OSError as error:
            facts.append((name, error.errno))
            continue
        facts.extend((str(path), _facts(path)) for path in sorted(paths))
    return tuple(facts)


def require_version(folder: Path) -> None:
    """Raises `ArtifactError` for a link, a folder without a graph, or many files.

    Before anything in it is read, so that it costs nothing.
    """
    if folder.is_symlink():
        raise ArtifactError(
            f"{folder} is a link. A version is a folder of plain files: copy what it"
            " points to, or serve the folder that it is in."
        )
    if not os.path.lexists(folder / GRAPH):
        raise ArtifactError(
            f"{folder} is not a version: it has no {GRAPH}. Folders with other things"
            " in them need names that are not numbers."
        )
    try:
        for _ in _below(folder):
            pass
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be read: {error}.") from error


def _entries(folder: Path, most: int) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from itertools.islice(entries, most)
        if next(entries, None) is not None:
            raise OSError(
                errno.EFBIG, f"more than {most} files, which is not a folder of a model"
            )


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder but what is behind links.

    Raises:
        OSError: if it cannot be read, or is not a folder, or holds too much.
    """
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise OSError(errno.ENOTDIR, "is not a folder")
    todo, count = [folder], 0
    while todo:
        for entry in _entries(todo.pop(), _MOST_FILES - count):
            count += 1
            yield entry
            if entry.is_dir(follow_symlinks=False):
                todo.append(Path(entry.path))


def _facts(path: Path) -> tuple[int, ...]:
    try:
        facts = path.lstat()
    except OSError as error:
        return (error.errno or 0,)
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
