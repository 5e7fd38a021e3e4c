"""`dir:` - a folder with one folder of images, or of sounds, per class."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np

from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.readers.folder_files import (
    EXTENSIONS,
    LISTED_SOUND_EXTENSIONS,
    SOUND_EXTENSIONS,
    Identity,
    extension,
    files_below,
    hold_sounds,
    identity,
    is_folder_entry,
    visible,
)
from pipelines.data.readers.split_folders import LAYOUTS, parts_of
from pipelines.data.sounds.reading import read_sounds
from pipelines.data.spelling import index_classes, normal
from pipelines.data.splits import Examples, ImageFiles, Inputs
from pipelines.display.text import is_blank
from pipelines.errors import DataError
from zoo.storage.home import expanded

# Endings of file names, and advice on such a file.
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


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A kind of files: the endings that are listed and read, and what they become."""

    word: str
    listed: frozenset[str]
    read: frozenset[str]
    inputs: Callable[[Strings], Inputs]


_IMAGES = _Kind("image", EXTENSIONS, EXTENSIONS, ImageFiles)
_SOUNDS = _Kind("sound", LISTED_SOUND_EXTENSIONS, SOUND_EXTENSIONS, read_sounds)


def read(
    location: str, *, group: str | None = None, layout: str = LAYOUTS[0]
) -> Examples:
    """Every image, or sound, below `location`, in the order of the relative paths.

    The folder holds class folders, or `train`, `validation` and `test`, as they are
    usually spelt, with class folders inside, or class folders with these inside. A
    class folder is searched at any depth; hidden names are left out. `group` is a
    pattern whose one capture group, searched in the path below the class folder, names
    the group of an image. With the layout `classes`, every folder is a class, whatever
    its name.

    Raises:
        DataError: if the folder is missing, is laid out otherwise, or if one of its
            class folders holds no image.
    """
    root = expanded(location).absolute()
    pattern = None if group is None else _compile(group)
    _require_folder(root)
    parts = parts_of(root, layout=layout)
    kind = _SOUNDS if hold_sounds(part.folder for part in parts) else _IMAGES
    counts: list[int] = []
    groups: list[str] = []

    def files() -> Iterator[str]:
        for part in parts:
            relative = _files(part.folder, kind)
            counts.append(len(relative))
            if pattern is not None:
                groups.extend(_group(pattern, path, part.folder) for path in relative)
            yield from (f"{part.folder}/{path}" for path in relative)

    paths = Strings.of(files())
    classes = index_classes([part.class_name for part in parts])
    splits = (part.split for part, n in zip(parts, counts) for _ in range(n))
    return Examples(
        inputs=kind.inputs(paths),
        names=_names_below(root, paths),
        labels=np.repeat(classes.labels, counts),
        class_names=classes.names,
        groups=None if pattern is None else groups,
        splits=Strings.of(splits) if parts[0].split else None,
        notes=classes.notes,
    )


def holds_images(location: str) -> bool:
    """True if images or sounds lie in the folder itself, not in folders of classes.

    Raises:
        DataError: if the folder is missing or cannot be read.
    """
    root = expanded(location).absolute()
    _require_folder(root)
    return any(
        extension(entry.name) in EXTENSIONS | LISTED_SOUND_EXTENSIONS
        and not is_folder_entry(entry)
        for entry in visible(root)
    )


def read_flat(location: str, *, class_name: str) -> Examples:
    """Every image, or sound, below `location`, at any depth, as one class.

    Raises:
        DataError: if the folder is missing or holds no image.
    """
    root = expanded(location).absolute()
    _require_folder(root)
    kind = _SOUNDS if hold_sounds([root]) else _IMAGES
    paths = Strings.of(f"{root}/{path}" for path in _files(root, kind))
    return Examples(
        inputs=kind.inputs(paths),
        names=_names_below(root, paths),
        labels=np.zeros(len(paths), np.int64),
        class_names=(class_name,),
    )


def every_file(root: Path, extensions: Collection[str]) -> Iterator[str]:
    """The paths of all files with these endings below a folder, relative to it.

    They come in order and at any depth; each is listed when it is needed, and there
    need not be classes.

    Raises:
        DataError: if a folder cannot be read.
    """
    for path in files_below(str(root), seen=set()):
        if extension(path) in extensions:
            yield path


def _names_below(root: Path, paths: Strings) -> Strings:
    """The paths below `root`, in the same memory; messages must escape them."""
    return paths.without_first(len(os.fsencode(root)) + (root != Path("/")))


def _require_folder(root: Path) -> None:
    if not root.exists():
        raise DataError(f"There is no folder {root}. Check the path after 'dir:'.")
    if not root.is_dir():
        advice = next(
            (f" {advice}" for end, advice in _ARCHIVES if root.name.endswith(end)), ""
        )
        raise DataError(
            f"{root} is a file; 'dir:' needs a folder of class folders.{advice}"
        )


def _files(class_folder: Path, kind: _Kind) -> list[str]:
    """The paths of the examples below a class folder, sorted, relative to it."""
    # A link to a parent would bring the examples of other classes.
    seen: set[Identity] = {identity(parent) for parent in class_folder.parents}
    files = sorted(files_below(str(class_folder), seen=seen))
    examples = [path for path in files if extension(path) in kind.listed]
    kinds = Counter(extension(path) or "no extension" for path in files)
    left_out = [f"{n} {end}" for end, n in kinds.items() if end not in kind.listed]
    allowed = ", ".join(sorted(kind.read))
    if not examples:
        content = f"it has {listing(left_out, shown=5)}" if left_out else "it is empty"
        raise DataError(
            f"Class {class_folder.name!r} has no {kind.word}: {content}"
            f" ({class_folder}). Allowed: {allowed}. Add {kind.word}s or remove the"
            " folder."
        )
    if left_out:
        _log.warning(
            "%s: left out %s (not %s)",
            class_folder,
            listing(left_out, shown=5),
            allowed,
        )
    return examples


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
    match = pattern.search(relative)
    if match is None or match[1] is None or is_blank(match[1]):
        raise DataError(
            f"group={pattern.pattern!r} does not match {relative!r} in {class_folder}. "
            "Widen the pattern so that every image has a group."
        )
    return normal(match[1])
