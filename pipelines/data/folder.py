"""`dir:` - a folder with one folder of images per class."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.data.names import SPLITS, choices, index_classes, listing
from pipelines.data.splits import Examples, ImageFiles
from pipelines.errors import DataError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"})

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
    root = Path(location).expanduser().absolute()
    pattern = None if group is None else _compile(group)
    paths: list[Path] = []
    labels: list[str] = []
    given: list[str] = []
    groups: list[str] = []
    parts = _parts(root)
    for split, folder in parts:
        for class_folder in _class_folders(folder):
            images = _images(class_folder)
            paths += images
            labels += [class_folder.name] * len(images)
            given += [split] * len(images)
            if pattern is not None:
                groups += [_group(pattern, path, class_folder) for path in images]
    indices, class_names = index_classes(labels)
    return Examples(
        inputs=ImageFiles(tuple(str(path) for path in paths)),
        names=tuple(path.relative_to(root).as_posix() for path in paths),
        labels=indices,
        class_names=class_names,
        groups=None if pattern is None else tuple(groups),
        given=None if parts[0][0] == "" else tuple(given),
    )


def _parts(root: Path) -> list[tuple[str, Path]]:
    """The split folders by name, or the folder itself under an empty name."""
    if not root.exists():
        raise DataError(f"There is no folder {root}. Check the path after 'dir:'.")
    if not root.is_dir():
        raise DataError(f"{root} is a file; 'dir:' needs a folder of class folders.")
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
    if not found:
        loose = sum(path.suffix.lower() in EXTENSIONS for path in folder.iterdir())
        raise DataError(
            f"{folder} has no class folders (and {loose} images of its own). Put the "
            "images of each class into a folder with the name of the class."
        )
    return found


def _images(class_folder: Path) -> list[Path]:
    files = sorted(
        # A link to where we come from would bring the images of other classes.
        _files(class_folder, seen={os.path.realpath(p) for p in class_folder.parents}),
        key=lambda path: path.relative_to(class_folder).as_posix(),
    )
    images = [path for path in files if path.suffix.lower() in EXTENSIONS]
    other = Counter(path.suffix.lower() or "no extension" for path in files)
    left_out = [f"{n} {kind}" for kind, n in other.items() if kind not in EXTENSIONS]
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


def _files(folder: Path, *, seen: set[str]) -> Iterator[Path]:
    """Every visible file below `folder`; `seen` ends loops of links."""
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    for path in _visible(folder):
        if is_folder(path):
            yield from _files(path, seen=seen)
        else:
            yield path


def _folders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if is_folder(path)]


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not is_hidden(path))
    except OSError as error:
        raise DataError(
            f"The folder {folder} cannot be read: {error.strerror}."
        ) from None


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; not if that cannot be known, which reading tells."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_hidden(path: Path) -> bool:
    """Whether a name is left out: what programs put there for themselves."""
    return path.name.startswith(".") or path.name == "__MACOSX"


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


def _group(pattern: re.Pattern[str], path: Path, class_folder: Path) -> str:
    relative = path.relative_to(class_folder).as_posix()
    found = pattern.search(relative)
    if found is None or found[1] is None:
        raise DataError(
            f"group={pattern.pattern!r} does not match {relative!r} in {class_folder}. "
            "Widen the pattern so that every image has a group."
        )
    return found[1]


def _names(folders: Sequence[Path]) -> str:
    return listing((f"{folder.name}/" for folder in folders), shown=5)
