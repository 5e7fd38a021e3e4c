"""Writes the files of some targets into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.serving.deploy import nginx, readme
from pipelines.serving.deploy.subject import Subject
from pipelines.serving.deploy.targets import TARGETS

# What somebody has written into these stays, also when all else is written anew.
_SECRETS = (nginx.TOKENS, nginx.PASSWORDS)


def write(
    subject: Subject,
    folder: Path,
    *,
    targets: Sequence[str],
    serving_version: str,
    overwrite: bool,
) -> list[Path]:
    """The files that were written, in order of their paths.

    Everything is made before anything is written. With `overwrite`, files of the same
    names are replaced, but tokens and passwords are not, and other files stay.

    Raises:
        ConfigError: if the folder is a file, or is not empty without `overwrite`.
    """
    texts = {
        readme.FILE: readme.text(subject, targets, serving_version=serving_version)
    }
    for target in targets:
        texts |= TARGETS[target](subject, serving_version=serving_version)
    _refuse_full(folder, overwrite=overwrite)
    written = []
    for name, text in sorted(texts.items()):
        path = folder / name
        if path.name in _SECRETS and path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        written.append(path)
    return written


def _refuse_full(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; --to takes a folder, which is made.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise ConfigError(
            f"{folder} is not empty. Give a new folder, or --overwrite: it replaces"
            " files of the same names, and keeps tokens, passwords and other files."
        )
