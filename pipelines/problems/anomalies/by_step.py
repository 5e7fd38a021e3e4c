"""From what windows of a series say to what is said of each step, in the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops


def mean_by_step(by_window: Sequence[Any]) -> Any:
    """The mean over all windows that have a step, `[batch, windows + steps - 1]`.

    `by_window[j]` `[batch, windows]` is what each window says of its step `j`.
    """
    steps, windows = len(by_window), by_window[0].shape[1]
    total = sum(
        ops.pad(values, [[0, 0], [j, steps - 1 - j]])
        for j, values in enumerate(by_window)
    )
    places = np.arange(windows + steps - 1)
    count = np.minimum(places, windows - 1) - np.maximum(places - steps + 1, 0)
    return total / (count + 1)
