"""The history of a queue's batches: costs, and clients that come back."""

from __future__ import annotations

import math

import numpy as np

# Clients who do not come back at once are not waited for, except once in this many
# batches: others may have come.
_TRIED_AGAIN_AFTER = 16
# Of the rows of calls: less says nothing of what one more takes.
_LEAST_SPREAD = 0.25


class CallCost:
    """The time of a call as a line over its rows, from the last hundred or so.

    `rows_per_call` says how many rows take as long as the rest of a call: infinite
    where that is unknown.
    """

    def __init__(self) -> None:
        self.rows_per_call = math.inf
        self._sums = np.zeros(5)

    def note(self, rows: int, seconds: float) -> None:
        """Counts a call."""
        now = (1.0, rows, seconds, rows * rows, rows * seconds)
        self._sums = 0.98 * self._sums + now
        mean_rows, mean_seconds, squares, products = self._sums[1:] / self._sums[0]
        spread = squares - mean_rows * mean_rows
        if spread > _LEAST_SPREAD:
            slope = (products - mean_rows * mean_seconds) / spread
            fixed = max(0.0, mean_seconds - slope * mean_rows)
            self.rows_per_call = fixed / slope if slope > 0 else math.inf


class ReturningClients:
    """Guesses if clients who were answered ask again within the moment granted.

    Those who send one request after the other do; those who pause do not, and waiting
    for them costs each batch its moment.
    """

    def __init__(self) -> None:
        self._filled_lately = 1.0
        self._not_granted = 0

    def grant(self) -> bool:
        """True if they are waited for this time; each call counts."""
        if self._filled_lately >= 0.5 or self._not_granted >= _TRIED_AGAIN_AFTER:
            self._not_granted = 0
            return True
        self._not_granted += 1
        return False

    def note(self, *, filled: bool) -> None:
        """Notes how a moment ended, as one in the last eight or so."""
        self._filled_lately += (filled - self._filled_lately) / 8
