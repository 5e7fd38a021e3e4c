"""Writes the files of some targets into a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.serving.deploy import nginx, readme, rights
from pipelines.serving.deploy.images import Images
from pipelines.serving.deploy.subject import Subject
from pipelines.serving.deploy.targets import TARGETS

# What somebody has written into these stays, also when all else is written anew.
_SECRETS = (nginx.TOKENS, nginx.PASSWORDS)
_SECRET_MODE = 0o600


def write(
    subject: Subject,
    folder: Path,
    *,
    targets: Sequence[str],
    images: Images,
    overwrite: bool,
) -> list[Path]:
    """The files that were written, in order of their paths.

    Everything is made before anything is written. With `overwrite`, files of the same
    names are replaced, but tokens and passwords are not, and other files stay.

    Raises:
        ConfigError: if the folder is a file, or is not empty without `overwrite`.
    """
    texts = {readme.FILE: readme.text(subject, targets, images=images)}
    for target in targets:
        texts |= TARGETS[target](subject, images=images)
    _refuse_full(folder, overwrite=overwrite)
    written = []
    for name, text in sorted(texts.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name in _SECRETS:
            is_there = path.exists()
            _write_secret(path, text)
            if is_there:
                continue
        else:
            path.write_text(text)
        written.append(path)
    return written


def _write_secret(path: Path, text: str) -> None:
    """A file for its owner and the container that runs as the same; others stay out.

    What is there stays, and is closed to others, too.
    """
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, _SECRET_MODE)
    with os.fdopen(descriptor, "w") as stream:
        if not os.fstat(descriptor).st_size:
            stream.write(text)
        if hasattr(os, "fchmod"):  # not on Windows
            os.fchmod(descriptor, _SECRET_MODE)
        if hasattr(os, "getuid") and os.getuid() == 0:
            user = rights.user_on_host()
            os.fchown(descriptor, user, user)


def _refuse_full(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; --to takes a folder, which is made.")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise ConfigError(
            f"{folder} is not empty. Give a new folder, or --overwrite: it replaces"
            " files of the same names, and keeps tokens, passwords and other files."
        )
