"""Weights of examples: how much each one counts, beside the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from pipelines.data.names import listing
from pipelines.errors import DataError

_SHOWN = 10


def checked_weights(
    values: Iterable[object], names: Sequence[str], *, where: str
) -> np.ndarray:
    """Weights float32 `[n]` from numbers or texts, one for each of `names`.

    Only their ratios matter. An example of weight 0 stays in its split and does not
    count.

    Raises:
        DataError: naming the examples, if a weight is negative or not a finite number,
            or if there are more or fewer weights than examples.
    """
    weights = np.array([_number(value) for value in values], np.float64)
    if weights.shape != (len(names),):
        raise DataError(
            f"{where} has {len(weights)} weights for {len(names)} examples. Give each"
            " example its weight."
        )
    with np.errstate(over="ignore"):
        weights = weights.astype(np.float32)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        some = (f"{names[i]} ({weights[i]:g})" for i in bad.tolist())
        raise DataError(
            f"{where} has weights that are negative or not finite numbers:"
            f" {listing(some, shown=_SHOWN)}. A weight is 0 or more: 2 counts as two"
            " examples of weight 1, and 0 does not count."
        )
    if not weights.any():
        raise DataError(
            f"{where} has weights that are all 0, so that no example counts. Give some"
            " a weight above 0, or leave the weights out."
        )
    return weights


def _number(value: object) -> float:
    """The number that a value writes; NaN for anything else."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def weights_in_words(weights: np.ndarray) -> str:
    """A sentence on the range of weights, for a note on the data."""
    without = int((weights == 0).sum())
    zero = f"; {without} of weight 0 do not count" if without else ""
    return (
        f"Examples have weights, from {weights.min():g} to {weights.max():g} (mean"
        f" {weights.mean():.4g}){zero}."
    )


def require_counting(weights: np.ndarray, *, split: str) -> None:
    """Raises `DataError` if no example of a split counts."""
    if len(weights) and not weights.any():
        raise DataError(
            f"All {len(weights)} examples of {split} have the weight 0, so that nothing"
            " can be measured there. Give some a weight above 0, or another seed."
        )
