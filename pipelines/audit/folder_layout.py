"""Files of a folder that no run trains on, and faults that keep it from being read."""

from __future__ import annotations

import dataclasses
import os
from collections import defaultdict
from pathlib import Path

from pipelines.audit.findings import Finding
from pipelines.data.images.file_types import CONVERTIBLE
from pipelines.data.readers.folder_files import (
    EXTENSIONS,
    LISTED_SOUND_EXTENSIONS,
    hold_sounds,
    is_folder,
    is_hidden,
)
from pipelines.data.readers.split_folders import LAYOUTS
from pipelines.data.split_names import usual_split
from pipelines.errors import DataError

# Files that other programs leave in folders of images, and that nobody misses.
_NOT_MISSED = frozenset(
    {".txt", ".json", ".csv", ".xml", ".md", ".html", ".ini", ".db"}
)
# The limit of Linux in bytes; macOS has a lower one.
_LONGEST_PATH = 4095


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One file below a class folder: its path, its class and its split or nothing."""

    path: Path
    class_name: str
    split: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class FolderWalk:
    """All images of a folder, the other files beside them, and the problems."""

    images: tuple[Found, ...]
    left_out: tuple[Found, ...]
    findings: tuple[Finding, ...]


def walk(root: Path, *, layout: str = LAYOUTS[0]) -> FolderWalk:
    """Walks through a folder of class folders to its end, whatever is wrong in it."""
    return _Walker(root, layout).walk()


class _Walker:
    """A walk through a folder, which collects images, or sounds, and problems."""

    def __init__(self, root: Path, layout: str) -> None:
        holds_sounds = root.is_dir() and _hold_sounds(root)
        self._extensions = LISTED_SOUND_EXTENSIONS if holds_sounds else EXTENSIONS
        self._word = "a sound" if holds_sounds else "an image"
        self._root = root
        self._layout = layout
        self._problems: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._unreadable = 0
        self._images: list[Found] = []
        self._left_out: list[Found] = []

    def walk(self) -> FolderWalk:
        for split, folder in self._parts():
            for path in self._read(folder):
                if is_folder(path):
                    self._walk_class(split, path)
                elif path.suffix.lower() in self._extensions | CONVERTIBLE:
                    self._note(
                        "warning", f"left out: {self._word} in no class folder", path
                    )
        findings = (
            Finding(severity, problem, tuple(names))
            for (severity, problem), names in self._problems.items()
        )
        return FolderWalk(tuple(self._images), tuple(self._left_out), tuple(findings))

    def _parts(self) -> list[tuple[str, Path]]:
        folders = [path for path in self._read(self._root) if is_folder(path)]
        known = {path: split for path in folders if (split := usual_split(path.name))}
        inside = (inner for path in known for inner in _listed(path)[0])
        if self._layout == "classes" or not any(is_folder(inner) for inner in inside):
            return [("", self._root)]
        for path in folders:
            if path not in known:
                self._note("error", "a folder that is not a split, beside splits", path)
        return [(split, path) for path, split in known.items()]

    def _walk_class(self, split: str, folder: Path) -> None:
        before, unreadable = len(self._images), self._unreadable
        # Links to parents would bring the images of other classes.
        seen = {_identity(parent) for parent in folder.parents}
        self._walk_below(Found(folder, folder.name, split), seen)
        if len(self._images) == before and self._unreadable == unreadable:
            self._note("error", f"a class without {self._word}", folder)

    def _walk_below(self, folder: Found, seen: set[tuple[int, int] | None]) -> None:
        # Iterators instead of calls: folders may lie in each other a thousand deep.
        way = [iter([folder.path])]
        while way:
            path = next(way[-1], None)
            if path is None:
                way.pop()
            elif not self._leads_to_folder(path):
                self._take(dataclasses.replace(folder, path=path))
            elif (here := _identity(path)) in seen and here is not None:
                self._note("warning", "a loop of links, not followed", path)
            else:
                seen.add(here)
                way.append(iter(self._read(path)))

    def _leads_to_folder(self, path: Path) -> bool:
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            return is_folder(path)
        self._note("error", "a path too long for this system", path)
        return False

    def _take(self, file: Found) -> None:
        suffix = file.path.suffix.lower()
        if suffix in self._extensions:
            self._images.append(file)
        elif suffix not in _NOT_MISSED:
            kind = f"named {suffix}" if suffix else "without an ending"
            self._note("warning", f"left out: a file {kind}", file.path)
            self._left_out.append(file)

    def _read(self, folder: Path) -> list[Path]:
        """The visible entries of a folder, in order."""
        paths, reason = _listed(folder)
        if reason:
            self._unreadable += 1
            self._note("error", f"an unreadable folder ({reason})", folder)
        for path in paths:
            if path.name.startswith(".") and path.suffix.lower() in self._extensions:
                hidden = self._word.split()[-1]
                self._note("note", f"left out: a hidden {hidden}", path)
        return [path for path in paths if not is_hidden(path.name)]

    def _note(self, severity: str, problem: str, path: Path) -> None:
        name = path.relative_to(self._root).as_posix()
        self._problems[severity, problem].append(name)


def _hold_sounds(root: Path) -> bool:
    """As the reader decides; a folder that cannot be read is named by the walk."""
    try:
        return hold_sounds([root])
    except DataError:
        return False


def _identity(folder: Path) -> tuple[int, int] | None:
    """Device and number of a folder, equal for all paths to it; None if unknown."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _listed(folder: Path) -> tuple[list[Path], str]:
    """The entries of a folder, and the reason if it cannot be read."""
    try:
        return sorted(folder.iterdir()), ""
    except OSError as error:
        return [], (error.strerror or str(error)).lower()
