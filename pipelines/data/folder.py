"""`dir:` - a folder with one folder of images per class."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pipelines.data.names import SPLITS, choices, index_classes, listing
from pipelines.data.printable import shown
from pipelines.data.splits import Examples, ImageFiles
from pipelines.data.strings import Strings
from pipelines.errors import DataError
from zoo.home import expanded

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"})

# Endings of file names, and what to do with such a file.
_ARCHIVES = (
    (".zip", "Unpack the archive first: unzip FILE -d FOLDER."),
    *(
        (end, "Unpack the archive first: tar -xf FILE -C FOLDER.")
        for end in (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
    ),
    (".npz", "For arrays in a file, use 'npz:'."),
    (".csv", "For a table, use 'csv:'."),
    (".tfrecord", "For records, use 'tfrecord:'."),
)

_log = logging.getLogger(__name__)


def read(location: str, *, group: str | None = None) -> Examples:
    """Every image below `location`, in the order of the relative paths.

    The folder holds class folders, or `train`, `validation` (or `val`) and `test` with
    class folders inside. A class folder is searched at any depth; hidden names are
    left out. `group` is a pattern whose one capture group, searched in the path below
    the class folder, names the group of an image.

    Raises:
        DataError: if the folder is missing, is laid out otherwise, or if one of its
            class folders holds no image.
    """
    root = expanded(location).absolute()
    pattern = None if group is None else _compile(group)
    parts = _parts(root)
    class_folders = [
        (split, found) for split, folder in parts for found in _class_folders(folder)
    ]
    counts: list[int] = []
    groups: list[str] = []

    def images() -> Iterator[str]:
        for _, folder in class_folders:
            relative = _images(folder)
            counts.append(len(relative))
            if pattern is not None:
                groups.extend(_group(pattern, path, folder) for path in relative)
            yield from (f"{folder}/{path}" for path in relative)

    paths = Strings.of(images())
    labels, class_names = index_classes([folder.name for _, folder in class_folders])
    given = (split for (split, _), n in zip(class_folders, counts) for _ in range(n))
    return Examples(
        inputs=ImageFiles(paths),
        names=_names_below(root, paths),
        labels=np.repeat(labels, counts),
        class_names=class_names,
        groups=None if pattern is None else groups,
        given=None if parts[0][0] == "" else Strings.of(given),
    )


def every_image(root: Path) -> Iterator[str]:
    """The paths of all images below a folder, at any depth, relative to it, in order.

    They are listed as they are asked for, and there need not be classes.

    Raises:
        DataError: if a folder cannot be read.
    """
    for path in _files(str(root), "", seen=set()):
        if _extension(path) in EXTENSIONS:
            yield path


def _names_below(root: Path, paths: Strings) -> Strings:
    """The paths below `root`, in the same memory; whoever shows them escapes them."""
    return paths.without_first(len(os.fsencode(root)) + (root != Path("/")))


def _parts(root: Path) -> list[tuple[str, Path]]:
    """The split folders by name, or the folder itself under an empty name."""
    if not root.exists():
        raise DataError(f"There is no folder {root}. Check the path after 'dir:'.")
    if not root.is_dir():
        how = next((f" {how}" for end, how in _ARCHIVES if root.name.endswith(end)), "")
        raise DataError(
            f"{root} is a file; 'dir:' needs a folder of class folders.{how}"
        )
    folders = _folders(root)
    known = [folder for folder in folders if folder.name.lower() in SPLITS]
    if not any(_folders(folder) for folder in known):
        return [("", root)]  # classes may be called `train` and `test`, too
    parts = {SPLITS[folder.name.lower()]: folder for folder in known}
    if len(parts) < len(known):
        raise DataError(
            f"{root} has the same split twice: {_names(known)}. Merge them."
        )
    if "train" not in parts:
        raise DataError(f"{root} has {_names(known)} and no train folder. Add one.")
    others = [folder for folder in folders if folder not in known]
    if others:
        raise DataError(
            f"{root} has {_names(known)} with folders inside, so it holds splits, and "
            f"{_names(others)} is none. {choices(others[0].name, SPLITS)} "
            "Rename or move what is no split."
        )
    return list(parts.items())


def _class_folders(folder: Path) -> list[Path]:
    found = _folders(folder)
    lost = [entry.path for entry in _visible(folder) if _is_link_to_nothing(entry)]
    if lost:
        raise DataError(
            f"{listing(map(shown, lost), shown=5)} stands where class folders do, and"
            " is a link to nothing. Mend or remove the link."
        )
    if not found:
        loose = sum(_extension(entry.name) in EXTENSIONS for entry in _visible(folder))
        raise DataError(
            f"{folder} has no class folders (and {loose} images of its own). Put the "
            "images of each class into a folder with the name of the class."
        )
    return found


def _images(class_folder: Path) -> list[str]:
    """The paths of the images below a class folder, sorted, relative to it."""
    # A link to where we come from would bring the images of other classes.
    seen = {os.path.realpath(parent) for parent in class_folder.parents}
    files = sorted(_files(str(class_folder), "", seen=seen))
    images = [path for path in files if _extension(path) in EXTENSIONS]
    kinds = Counter(_extension(path) or "no extension" for path in files)
    left_out = [f"{n} {kind}" for kind, n in kinds.items() if kind not in EXTENSIONS]
    allowed = ", ".join(sorted(EXTENSIONS))
    if not images:
        found = f"it has {listing(left_out, shown=5)}" if left_out else "it is empty"
        raise DataError(
            f"Class {class_folder.name!r} has no image: {found} ({class_folder}). "
            f"Allowed: {allowed}. Add images or remove the folder."
        )
    if left_out:
        _log.warning(
            "%s: left out %s (not %s)",
            class_folder,
            listing(left_out, shown=5),
            allowed,
        )
    return images


def _extension(path: str) -> str:
    _, dot, end = path.rpartition("/")[2].rpartition(".")
    return f".{end.lower()}" if dot else ""


def _files(folder: str, below: str, *, seen: set[str]) -> Iterator[str]:
    """Every visible file in `folder`, with `below` before its name.

    `seen` ends loops of links.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    for entry in _visible(folder):
        if _is_folder(entry):
            yield from _files(entry.path, f"{below}{entry.name}/", seen=seen)
        else:
            yield f"{below}{entry.name}"


def _folders(folder: Path) -> list[Path]:
    return [Path(entry.path) for entry in _visible(folder) if _is_folder(entry)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # A link that goes round in circles is an error to `DirEntry.is_dir` alone.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _is_link_to_nothing(entry: os.DirEntry[str]) -> bool:
    is_image = _extension(entry.name) in EXTENSIONS
    return entry.is_symlink() and not is_image and not Path(entry.path).exists()


def _visible(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if not is_hidden(entry.name)),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        raise DataError(
            f"The folder {shown(str(folder))} cannot be read: {error.strerror}. Give"
            " yourself the right to read it, or remove it."
        ) from None


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; not if that cannot be known, which reading tells."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_hidden(name: str) -> bool:
    """Whether a name is left out: what programs put there for themselves."""
    return name.startswith(".") or name == "__MACOSX"


def _compile(group: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise DataError(f"group={group!r} is not a pattern: {error}.") from None
    if pattern.groups != 1:
        raise DataError(
            f"group={group!r} has {pattern.groups} capture groups and needs one, as in "
            "group=(patient[0-9]+)_."
        )
    return pattern


def _group(pattern: re.Pattern[str], relative: str, class_folder: Path) -> str:
    found = pattern.search(relative)
    if found is None or found[1] is None:
        raise DataError(
            f"group={pattern.pattern!r} does not match {relative!r} in {class_folder}. "
            "Widen the pattern so that every image has a group."
        )
    return found[1]


def _names(folders: Sequence[Path]) -> str:
    return listing((f"{folder.name}/" for folder in folders), shown=5)
