"""A Python in a process of its own, which imports nothing from the current folder.

`python -c` and `python -m` put the current folder before the standard library: a file
`base64.py` beside somebody's data would run there. So a child starts with `-I`, and
gets from its parent, behind all others, only further folders that are neither the
current one nor the program's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

# Its first argument is how many folders follow; then come the module and its arguments.
_START = """
import runpy, sys
count = int(sys.argv[1])
known = set(sys.path)
sys.path += [path for path in sys.argv[2 : 2 + count] if path not in known]
sys.argv = sys.argv[2 + count :]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
# What makes a Python of the child's own children import from elsewhere.
_UNSET = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


def run_module(
    module: str, arguments: Sequence[str], *, cwd: Path, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """Runs an installed module as `python -m` does, in a folder of ours.

    Raises:
        subprocess.TimeoutExpired: if it has not ended in time.
    """
    folders = trusted_folders(sys.path)
    command = [sys.executable, "-I", "-c", _START, str(len(folders)), *folders]
    return subprocess.run(
        [*command, module, *arguments],
        cwd=cwd,
        env=environment(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_seconds,
        check=False,
    )


def trusted_folders(import_path: Iterable[str]) -> list[str]:
    """The entries of an import path that do not depend on the current folder."""
    strange = _current_folder() | _folder_of_program()
    return [
        folder
        for folder in import_path
        if Path(folder).is_absolute() and Path(folder).resolve() not in strange
    ]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a child, without the ones by which Python finds modules."""
    return {name: value for name, value in variables.items() if name not in _UNSET}


def _current_folder() -> set[Path]:
    try:
        return {Path.cwd().resolve()}
    except FileNotFoundError:  # it was removed under us
        return set()


def _folder_of_program() -> set[Path]:
    """The folder of the running program, which Python puts first on the path."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    return {Path(path).resolve().parent} if path else set()
