"""Examples with nothing in them: refused, or left out and counted, by every reader."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.names import listing
from pipelines.data.splits import Examples
from pipelines.display.text import shown
from pipelines.errors import DataError

SKIP = "skip"
REASON = "blank"
_SHOWN = 10


class Blanks:
    """Collects blank examples for a reader; `on_bad` comes from the reference."""

    def __init__(self, on_bad: str, where: str) -> None:
        self._skips = on_bad == SKIP
        self._where = where
        self._names: dict[int, str] = {}

    def add(self, i: int, name: str) -> None:
        """Notes that example `i` is blank, and its name."""
        self._names[i] = name

    def taken_out(self, examples: Examples) -> Examples:
        """The examples without blanks, which are named as skipped.

        Raises:
            DataError: if there are blanks, and `on_bad` is not `skip`.
        """
        if not self._names:
            return examples
        if not self._skips:
            raise DataError(
                f"{shown(self._where)} has blank texts:"
                f" {listing(self._names.values(), shown=_SHOWN)}. Take them out, with"
                f" their labels. {HOW_TO_SKIP}"
            )
        blank = list(self._names)
        skipped = tuple((examples.names[i], REASON) for i in blank)
        rest = examples.take(np.setdiff1d(np.arange(len(examples)), blank))
        return dataclasses.replace(rest, skipped=(*examples.skipped, *skipped))


HOW_TO_SKIP = "Or leave them out, up to 1 % of all: add on_bad=skip to the reference."
