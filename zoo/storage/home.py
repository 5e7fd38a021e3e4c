"""The user's home, where there is one: in a container there may be none."""

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
    found = expanded("~")
    return found if found.is_absolute() else None


def required(*, of: str) -> Path:
    """The home of the user, where no variable says which folder to use.

    Raises:
        StoreError: if there is none; says what to set.
    """
    found = home()
    if found is None:
        raise StoreError(
            f"There is no folder for {of}: HOME is not set, and no list of users knows"
            " this one. Set ZOOTUNE_HOME, or HOME, to a folder that is yours."
        )
    return found


def keras_folder() -> Path:
    """Where Keras keeps its settings and the weights that it fetches."""
    named = os.environ.get("KERAS_HOME")
    if named is not None:
        return expanded(named)
    user = expanded("~")
    return (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras"


def name_keras_folder() -> None:
    """Sets KERAS_HOME where there is no home, before TensorFlow is imported.

    The Keras inside of it would make a folder `~` in the current one.
    """
    if home() is None:
        os.environ.setdefault("KERAS_HOME", str(keras_folder()))
