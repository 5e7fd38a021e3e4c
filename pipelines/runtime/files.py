"""Folders that a command writes its files into."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import ConfigError
from zoo.storage import durable


def write_files(folder: Path, contents: Mapping[str, str]) -> list[Path]:
    """Writes texts by the names of files into a folder, which is made.

    Gives the paths; each file is whole or as it was before.

    Raises:
        ConfigError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            durable.write_whole(folder / name, [text.encode()])
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}.") from error
    return [folder / name for name in contents]


def require_empty(folder: Path) -> None:
    """Raises `ConfigError` unless a folder is new or empty."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"{folder} is not a folder. Name a new one with --to.")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty. Name a new folder with --to.")
