"""One pass over the data that reads every block, and ends early if it is too slow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.config import RunConfig
from pipelines.data.input.batches import batches_of_all
from pipelines.data.splits import Split
from pipelines.errors import ConfigError
from pipelines.features.extract import Reader
from pipelines.features.views import other_views
from pipelines.runtime.clock import Clock
from zoo.builder import Backbone

# The first batches build the graph; their time says nothing.
_WARM_UP_EXAMPLES = 96


def read(
    reader: Reader,
    base: Backbone,
    keys: Sequence[tuple[str, int]],
    train: Split,
    validation: Split | None,
    config: RunConfig,
    clock: Clock,
    *,
    views: int,
) -> tuple[dict[tuple[str, int], np.ndarray], float]:
    """The outputs for train as it is, then for validation, and images a second.

    Raises:
        ConfigError: if a pass with all views does not end within the time budget.
    """
    started = time.monotonic()
    splits = [train, *([validation] if validation else [])]
    read = batches_of_all(
        splits, input_size_px=base.input_size_px, batch_size=config.batch_size
    )
    total = sum(map(len, splits))
    left = clock.deadline(config.time_budget_seconds) - started
    rate = _Rate(total + (views - 1) * len(train), left, views=views)

    def follow(done: int) -> None:
        rate.follow(done)
        clock.progress(done, total)

    outputs = reader.extract(read, dtype=np.float16, on_progress=follow)
    return dict(zip(keys, outputs)), total / (time.monotonic() - started)


def with_other_views(
    first: Mapping[tuple[str, int], np.ndarray],
    reader: Reader,
    base: Backbone,
    train: Split,
    config: RunConfig,
    clock: Clock,
    *,
    views: int,
) -> Mapping[tuple[str, int], np.ndarray]:
    """The outputs for every view of train, view after view; `first` is the first.

    `first` has them in the order of the outputs of the reader.
    """
    if views == 1:
        return first
    clock.part(f"{views - 1} more views of {len(train)} images")
    total = (views - 1) * len(train)
    others = reader.extract(
        other_views(train, config, views=views, input_size_px=base.input_size_px),
        dtype=np.float16,
        on_progress=lambda done: clock.progress(done, total),
    )
    pairs = zip(first.items(), others, strict=True)
    return {key: np.concatenate([values, more]) for (key, values), more in pairs}


class _Rate:
    """Notices early that a pass will not end within the seconds that are left."""

    def __init__(self, total: int, seconds_left: float, *, views: int) -> None:
        self._total, self._seconds_left, self._views = total, seconds_left, views
        self._first: tuple[int, float] | None = None
        self._started = time.monotonic()

    def follow(self, done: int) -> None:
        now = time.monotonic()
        if self._first is None:
            if done >= min(_WARM_UP_EXAMPLES, self._total / 2):
                self._first = done, now
            return
        first, at = self._first
        per_example = (now - at) / (done - first)
        needed = (at - self._started) + per_example * (self._total - first)
        if needed > self._seconds_left:
            left = max(0.0, self._seconds_left - (at - self._started))
            possible = int(left / per_example / self._views)
            seen = f", {self._views} views of each," if self._views > 1 else ""
            fewer = " head.views=1," if self._views > 1 else ""
            raise ConfigError(
                f"One pass over {self._total // self._views} examples{seen} takes about"
                f" {needed:.0f} s here, and config.time_budget_seconds leaves"
                f" {self._seconds_left:.0f} s. Raise it, take{fewer} a smaller"
                f" config.input_size_px or backbone, or at most {possible} examples"
                f" with ?limit= in config.data."
            )
