"""Another process that holds a lock, until it is ended."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_HOLDS = """
import importlib, sys, time
from pathlib import Path
module, name, path = sys.argv[1:]
with getattr(importlib.import_module(module), name)(Path(path)):
    print("held", flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def holding(module: str, name: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process inside the context manager `name` of a module, entered for a path."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS, module, name, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
