# ruff: noqa: PTH109, PTH120 - pathlib would be imported from there
"""The current folder of the user, which commands of ours import nothing from.

Imports nothing but what every Python has loaded before: whatever else was imported here
could come from there.
"""

import os
import sys

# The folder of the packages: three folders up from this file.
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def import_nothing_from_here() -> None:
    """Takes the current folder off the import path, unless this package lies in it.

    Also for every Python that a library starts, as Beam does for its workers.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except FileNotFoundError:  # it was removed under us
        here = ""
    if here == _OURS:
        return
    sys.path[:] = _without(here, sys.path)
    os.environ["PYTHONSAFEPATH"] = "1"
    folders = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    if left := _without(here, folders):
        os.environ["PYTHONPATH"] = os.pathsep.join(left)


def _without(here: str, folders: list[str]) -> list[str]:
    return [path for path in folders if path and os.path.realpath(path) != here]


def is_module_run() -> bool:
    """True while Python looks for a module of ours to run, as `-m` asks."""
    return sys.argv[:1] == ["-m"]


def refuse_strangers(package: str, path: str) -> None:
    """Raises `ImportError` unless a package of ours is the one beside this one."""
    folder = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    if folder != _OURS:
        raise ImportError(
            f"The package '{package}' of {folder} does not belong to zootune, which is"
            f" in {_OURS}: a folder '{package}' of your own comes first on Python's"
            " import path. Rename it, or run Python in another folder or with -P; the"
            " command `zoo` works all the same."
        )
