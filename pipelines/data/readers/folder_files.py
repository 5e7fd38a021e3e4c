"""The visible files of a folder, in the order of names."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipelines.display.text import shortened, shown
from pipelines.errors import DataError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp"})
SOUND_EXTENSIONS = frozenset({".wav", ".wave"})
# Sounds that are listed to be refused by name, with the command that converts them.
OTHER_SOUND_EXTENSIONS = frozenset(
    {".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma", ".au"}
)
LISTED_SOUND_EXTENSIONS = SOUND_EXTENSIONS | OTHER_SOUND_EXTENSIONS

# A folder, wherever its path leads over links: device and number.
Identity = tuple[int, int]


def extension(path: str) -> str:
    """The ending of a file's name in lower case, with its dot."""
    _, dot, end = path.rpartition("/")[2].rpartition(".")
    return f".{end.lower()}" if dot else ""


def identity(folder: str | Path) -> Identity:
    """Device and number of a folder, equal for all paths to it.

    Raises:
        DataError: if the system does not give them.
    """
    try:
        status = Path(folder).stat()
    except OSError as error:
        raise _unreadable(folder, error) from None
    return status.st_dev, status.st_ino


def files_below(folder: str, *, seen: set[Identity]) -> Iterator[str]:
    """Every visible file below a folder, relative to it; links are followed.

    Folders in `seen` are not entered, and every entered one is added, which ends loops
    of links. Folders may lie in each other as deep as the system can name them.

    Raises:
        DataError: if a folder cannot be read.
    """
    below = {identity(folder)}
    if below <= seen:
        return
    seen |= below
    # Iterators instead of calls: one for each folder on the way down.
    way = [("", iter(visible(folder)))]
    while way:
        before, entries = way[-1]
        entry = next(entries, None)
        if entry is None:
            way.pop()
        elif not is_folder_entry(entry):
            yield f"{before}{entry.name}"
        elif (here := identity(entry.path)) not in seen:
            seen.add(here)
            way.append((f"{before}{entry.name}/", iter(visible(entry.path))))


def visible(folder: str | Path) -> list[os.DirEntry[str]]:
    """The entries of a folder that are not hidden, in the order of names.

    Raises:
        DataError: if the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if not is_hidden(entry.name)),
                key=lambda entry: entry.name,
            )
    except OSError as error:
        raise _unreadable(folder, error) from None


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, in the order of names."""
    return [Path(entry.path) for entry in visible(folder) if is_folder_entry(entry)]


def is_folder_entry(entry: os.DirEntry[str]) -> bool:
    """True for a folder, and for a link to one."""
    # A link that goes round in circles is an error to `DirEntry.is_dir` alone.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def is_link_to_nothing(entry: os.DirEntry[str]) -> bool:
    """True for a broken link, unless it is named like an image."""
    is_image = extension(entry.name) in EXTENSIONS
    return entry.is_symlink() and not is_image and not Path(entry.path).exists()


def is_folder(path: Path) -> bool:
    """True if a path is a folder; False also where the system cannot say."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_hidden(name: str) -> bool:
    """True for names that programs use for their own files."""
    return name.startswith(".") or name == "__MACOSX"


def _unreadable(folder: str | Path, error: OSError) -> DataError:
    advice = "Give yourself the right to read it, or remove it."
    if error.errno == errno.ENAMETOOLONG:
        advice = (
            "Folders lie in each other so deep that the system has no path for it. Move"
            " their content up, or remove them."
        )
    return DataError(
        f"The folder {shortened(shown(str(folder)))} cannot be read: {error.strerror}."
        f" {advice}"
    )


def hold_sounds(class_folders: Iterable[Path]) -> bool:
    """True if the first folder with images or sounds has more sounds than images.

    Covers of albums do not make a folder of images, nor a sound or two one of sounds.
    A folder that cannot be read decides nothing; who lists its files names it.
    """
    for folder in class_folders:
        try:
            sounds, images = _counted(files_below(str(folder), seen=set()))
        except DataError:
            continue
        if images or sounds:
            return sounds > images
    return False


def are_sounds(paths: Iterable[str]) -> bool:
    """True if more of the files are sounds than images, by their names."""
    sounds, images = _counted(paths)
    return sounds > images


def _counted(paths: Iterable[str]) -> tuple[int, int]:
    ends = [extension(path) for path in paths]
    sounds = sum(end in LISTED_SOUND_EXTENSIONS for end in ends)
    return sounds, sum(end in EXTENSIONS for end in ends)
