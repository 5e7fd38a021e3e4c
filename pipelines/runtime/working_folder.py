# ruff: noqa: PTH109, PTH120 - pathlib would be imported from there
"""Where the user stands: a folder that commands of ours import nothing from.

Imports nothing but what every Python has loaded before: whatever else was imported here
could come from there.
"""

import os
import sys

# The folder of the packages: three folders up from this file.
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def import_nothing_from_here() -> None:
    """Takes the current folder off the import path, unless this package lies in it.

    Off that of every Python, too, that a library starts, as Beam does for its workers.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except FileNotFoundError:  # it was removed under us
        here = ""
    if here == _OURS:
        return
    sys.path[:] = _without(here, sys.path)
    os.environ["PYTHONSAFEPATH"] = "1"
    given = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
    if left := _without(here, given):
        os.environ["PYTHONPATH"] = os.pathsep.join(left)


def _without(here: str, folders: list[str]) -> list[str]:
    return [one for one in folders if one and os.path.realpath(one) != here]


def is_module_run() -> bool:
    """Whether Python is looking for one of our modules to run it, as `-m` asks."""
    return sys.argv[:1] == ["-m"]


def refuse_strangers(package: str, path: str) -> None:
    """Raises `ImportError` unless a package of ours is the one beside this one."""
    found = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    if found != _OURS:
        raise ImportError(
            f"The package '{package}' of {found} is not that of zootune, which lies in"
            f" {_OURS}: a folder '{package}' of your own comes first on Python's import"
            " path. Rename it, or run Python in another folder or with -P; the command"
            " `zoo` does not mind it."
        )
