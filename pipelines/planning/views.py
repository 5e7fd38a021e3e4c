"""The choice of views at test time, by examples left out. Pure functions."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.planning.paired import paired_gain

NONE, FLIP = "none", "flip"


@dataclasses.dataclass(frozen=True)
class ViewChoice:
    """The views that the artifact averages, and the reason.

    `gain` is how much better examples out of fold are answered with a mirrored view, on
    average, with the `standard_error` of that paired difference; None where it was not
    measured. `multiply_adds` are of one example, with the chosen views.
    """

    views: str
    reason: str
    gain: float | None = None
    standard_error: float | None = None
    examples: int = 0
    multiply_adds: int | None = None


def choose_views(
    plain: np.ndarray,
    mirrored: np.ndarray,
    groups: np.ndarray | None,
    *,
    asked: str,
) -> ViewChoice:
    """A mirrored view if `asked` for, or with `auto` if it gains clearly.

    `plain` and `mirrored` say how well each example is answered with one view and with
    both. A gain is clear beyond one standard error of the paired difference.
    """
    gain, error = paired_gain(plain, mirrored, groups=groups)
    change = f"{'worse' if gain < 0 else 'better'} by {abs(gain):.4f}"
    words = (
        f"with a mirrored view {len(plain)} examples out of fold are answered {change}"
        f" (standard error {error:.4f})"
    )
    if asked == FLIP:
        reason = f"As config.test_views says: {words}."
        return ViewChoice(FLIP, reason, gain, error, len(plain))
    if gain > error:
        reason = f"A clear gain: {words}."
        return ViewChoice(FLIP, reason, gain, error, len(plain))
    reason = f"No clear gain: {words}."
    return ViewChoice(NONE, reason, gain, error, len(plain))
