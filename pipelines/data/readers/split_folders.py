"""Decides if folders are classes, or splits with class folders inside."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from pipelines.data.names import choices, listing
from pipelines.data.readers.folder_files import (
    EXTENSIONS,
    LISTED_SOUND_EXTENSIONS,
    extension,
    folders,
    is_folder_entry,
    is_link_to_nothing,
    visible,
)
from pipelines.data.split_names import SPLIT_NAMES, usual_split, vague_split
from pipelines.display.text import shown
from pipelines.errors import DataError

# The values of `layout=`: names decide, or every folder is a class.
LAYOUTS = ("auto", "classes")
_HOW_TO_SAY = (
    "If they are splits, name the folders train, validation and test; if they are"
    " classes, add layout=classes to the reference."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A folder of images of one class; `split` is empty if the data have no splits."""

    split: str
    class_name: str
    folder: Path


def parts_of(root: Path, *, layout: str = LAYOUTS[0]) -> list[Part]:
    """The class folders of a folder, each with the split that it lies in.

    There are splits if folders of usual names, as `train` or `Testing`, have folders
    inside; or if all class folders hold folders of such names and no image.

    Raises:
        DataError: if the folder is laid out otherwise, or could mean both.
    """
    if layout == "classes":
        return _class_parts(root)
    inside = folders(root)
    splits = [folder for folder in inside if usual_split(folder.name)]
    if any(folders(folder) for folder in splits):
        return _split_parts(root, inside, splits)
    _refuse_doubtful_splits(root, inside)
    classes = _class_parts(root)
    return _splits_of_classes(root, classes) or classes


def _class_parts(folder: Path, split: str = "") -> list[Part]:
    return [Part(split, path.name, path) for path in _class_folders(folder)]


def _class_folders(folder: Path) -> list[Path]:
    classes = folders(folder)
    lost = [entry.path for entry in visible(folder) if is_link_to_nothing(entry)]
    if lost:
        raise DataError(
            f"{listing(map(shown, lost), shown=5)} stands where class folders do, and"
            " is a link to nothing. Repair or remove the link."
        )
    if not classes:
        loose = sum(extension(entry.name) in EXTENSIONS for entry in visible(folder))
        raise DataError(
            f"{folder} has no class folders (and {loose} images of its own). Put the "
            "images of each class into a folder with the name of the class."
        )
    return classes


def _split_parts(
    root: Path, inside: Sequence[Path], splits: Sequence[Path]
) -> list[Part]:
    by_split = {usual_split(folder.name) or "": folder for folder in splits}
    if len(by_split) < len(splits):
        raise DataError(
            f"{root} has the same split twice: {_names(splits)}. Merge them, or if they"
            " are classes, add layout=classes to the reference."
        )
    if "train" not in by_split:
        raise DataError(
            f"{root} has {_names(splits)} and no train folder. Add one, or if they are"
            " classes, add layout=classes to the reference."
        )
    others = [folder for folder in inside if folder not in splits]
    if others:
        raise DataError(
            f"{root} has {_names(splits)} with folders inside, so it holds splits, and "
            f"{_names(others)} is not one. {choices(others[0].name, SPLIT_NAMES)} "
            "Rename or move it; or if all of them are classes, add layout=classes to"
            " the reference."
        )
    return [
        part
        for split, folder in by_split.items()
        for part in _class_parts(folder, split)
    ]


def _refuse_doubtful_splits(root: Path, inside: Sequence[Path]) -> None:
    """Asks where folders are probably splits: as classes they would train well."""
    meant = {folder: vague_split(folder.name) for folder in inside}
    likely = [folder for folder in inside if meant[folder]]
    if len({meant[folder] for folder in likely}) < 2:
        return
    is_nested = any(folders(folder) for folder in likely)
    if is_nested or len(likely) == len(inside):
        content = "with folders inside" if is_nested else "and no other folder"
        raise DataError(
            f"{root} has {_names(likely)} {content}: are these splits, or classes?"
            f" {_HOW_TO_SAY}"
        )


def _splits_of_classes(root: Path, classes: Sequence[Part]) -> list[Part]:
    """The parts of a folder of classes with splits inside; empty without splits."""
    parts: list[Part] = []
    whole: list[Part] = []
    for class_part in classes:
        splits = _splits_inside(class_part.folder)
        parts += [Part(split, class_part.class_name, path) for split, path in splits]
        whole += [] if splits else [class_part]
    if len({part.split for part in parts}) < 2:
        return []
    if whole:
        without = _names([class_part.folder for class_part in whole])
        raise DataError(
            f"{root} has class folders with splits inside, as"
            f" {_names([parts[0].folder])} of {parts[0].class_name!r}, and {without}"
            " without. Give all of them the same splits; or if these folders mean"
            " nothing, add layout=classes to the reference."
        )
    return parts


def _splits_inside(class_folder: Path) -> list[tuple[str, Path]]:
    """The splits in a class folder that holds these and nothing else."""
    entries = visible(class_folder)
    inside = [Path(entry.path) for entry in entries if is_folder_entry(entry)]
    examples = EXTENSIONS | LISTED_SOUND_EXTENSIONS
    if any(extension(entry.name) in examples for entry in entries):
        return []
    by_split = {usual_split(path.name): path for path in inside}
    if len(by_split) < len(inside):
        return []
    known = [(split, path) for split, path in by_split.items() if split]
    return known if len(known) == len(inside) else []


def _names(several: Sequence[Path]) -> str:
    return listing((f"{shown(folder.name)}/" for folder in several), shown=5)
