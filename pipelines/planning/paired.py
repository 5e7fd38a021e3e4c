"""The gain of one model over another on the same examples, with its standard error."""

from __future__ import annotations

import numpy as np


def paired_gain(
    before: np.ndarray,
    after: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    unit: float | None = None,
) -> tuple[float, float]:
    """The mean of `after - before` over examples, and its standard error.

    Both are `[examples]`: how well each is answered. Examples count by their `weights`,
    and those with the same group as one draw. A single example, which may be chance, is
    never more than a standard error:

    * Where all changes have one size, the `unit`, as where answers are right or wrong,
      the error is the one of two models that are equally good, whose changes lie
      around 0, with one change more than was seen.
    * Else changes lie around their mean, and the largest one counts twice.
    """
    share = np.full(len(before), 1 / len(before))
    if weights is not None:
        share = weights / weights.sum(dtype=np.float64)
    change = after.astype(np.float64) - before.astype(np.float64)
    gain = float(share @ change)
    draws = share * (change if unit is not None else change - gain)
    if groups is not None:
        own = np.unique(groups, return_inverse=True)[1]
        draws = np.bincount(own, weights=draws).astype(np.float64)
    seen = np.square(draws)
    more = seen.max() if unit is None else np.square(unit * share.max())
    return gain, float(np.sqrt(seen.sum() + more))
