"""Names of classes and labels, as a graph gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bytes_of(names: Sequence[str]) -> np.ndarray:
    """Names as an array of bytes `[n]`."""
    return np.array([name.encode() for name in names])
