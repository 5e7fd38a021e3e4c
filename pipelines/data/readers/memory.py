"""`memory:` - data that a caller of this process passed, while the call lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pipelines.data.in_memory.passed import Passed
from pipelines.data.splits import Examples
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.errors import DataError

# For each location what was passed, once for each call that is at work with it.
_held: dict[str, list[Passed]] = {}


@contextlib.contextmanager
def holding(passed: Passed) -> Iterator[str]:
    """Inside, `memory:LOCATION` is the data; their content makes the location."""
    location = f"passed-{passed.digest()[:16]}"
    _held.setdefault(location, []).append(passed)
    try:
        yield location
    finally:
        _held[location].pop()


def read(
    location: str, *, on_bad: str = "fail", problem: str = SINGLE_LABEL
) -> Examples:
    """The examples of data that are being held.

    Raises:
        DataError: if this process does not hold them, or they cannot be trained on.
    """
    if not _held.get(location):
        raise DataError(
            f"The data 'memory:{location}' were passed to a call in Python, and are not"
            " here any more. Make the same call with the same data: it resumes a run"
            " that was interrupted. To use them with commands, save them as"
            " np.savez('data.npz', x=x, y=y), for 'npz:data.npz'."
        )
    return _held[location][-1].examples(on_bad=on_bad, problem=problem)
