"""The user's home, if there is one: a container may have none."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import StoreError


def expanded(path: str | Path) -> Path:
    """A path with `~` replaced, or as it stands where nobody knows that home."""
    # Path.expanduser raises where there is no home, and callers name what is missing.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def home() -> Path | None:
    """The home of the user, by HOME or by the list of users, if either knows one."""
    path = expanded("~")
    return path if path.is_absolute() else None


def required(*, of: str) -> Path:
    """The home of the user, where no variable says which folder to use.

    Raises:
        StoreError: if nobody knows it; says what to set.
    """
    path = home()
    if path is None:
        raise StoreError(
            f"There is no folder for {of}: HOME is not set, and no list of users knows"
            " this one. Set ZOOTUNE_HOME, or HOME, to a folder that is yours."
        )
    return path


def keras_folder() -> Path:
    """The folder of Keras' settings and of the weights that it fetches."""
    named = os.environ.get("KERAS_HOME")
    if named is not None:
        return expanded(named)
    user = expanded("~")
    return (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras"


def name_keras_folder() -> None:
    """Sets KERAS_HOME for a user without a home, before TensorFlow is imported.

    The Keras inside of it would make a folder `~` in the current folder.
    """
    if home() is None:
        os.environ.setdefault("KERAS_HOME", str(keras_folder()))
