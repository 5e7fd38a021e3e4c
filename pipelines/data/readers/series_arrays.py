"""Series of several lengths as one array, with NaN after the ends of shorter ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.data.splits import Series
from pipelines.errors import DataError


def padded(series: Sequence[np.ndarray], names: Sequence[str]) -> Series:
    """Series `[steps, channels]` of any lengths as `[n, steps, channels]`, float32.

    Raises:
        DataError: naming the first that has other channels, no value, or an infinite
            or too large one.
    """
    channels = series[0].shape[1]
    values = np.full((len(series), max(map(len, series)), channels), np.nan, np.float32)
    for row, (one, name) in enumerate(zip(series, names, strict=True)):
        if one.shape[1] != channels:
            raise DataError(
                f"{name} has {one.shape[1]} channels, and {names[0]} has {channels}."
                " All series of a data set have the same channels."
            )
        with np.errstate(over="ignore"):
            narrow = one.astype(np.float32)
        if np.isinf(narrow).any():
            raise DataError(
                f"{name} has a value that is infinite or too large for float32. Correct"
                " it, or write a missing value as '?' or NaN."
            )
        if np.isnan(narrow).all():
            raise DataError(f"{name} has no value. Take it out.")
        values[row, : len(one)] = narrow
    return Series(values)
