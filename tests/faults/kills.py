"""Processes that do the same thing again and again until they are killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import warm_python

# The long form is for a person who waits; the gate has the short one.
IS_LONG = bool(os.environ.get("ZOOTUNE_LONG_FAULTS"))
_ROOT = Path(__file__).parents[2]


def killed_at_random(
    code: str, *arguments: str | Path, times: int, within_seconds: float
) -> Iterator[int]:
    """Starts a loop that prints a line for every round, and kills it in a later one.

    Gives the number of each kill, after it, with the same moments in every test run.
    """
    moments = random.Random(0)
    for number in range(times):
        process = warm_python.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        time.sleep(moments.random() * within_seconds)
        assert process.poll() is None, process.communicate()[1]
        process.kill()
        process.communicate()
        yield number
