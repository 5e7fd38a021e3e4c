"""The measurements of a run with folds: one pass over all that any fold trains on."""

from __future__ import annotations

import dataclasses

from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.errors import ConfigError
from pipelines.runtime.clock import Clock
from pipelines.stages.measure import Measured, measure
from zoo.builder import Backbone


def measure_pooled(
    base: Backbone, splits: Splits, config: RunConfig, clock: Clock
) -> Measured:
    """What `measure` gives for pooled splits, each example read once.

    Raises:
        ConfigError: if there are more examples than are read at once, or as `measure`.
        TrainingError: if a feature is not a finite number.
    """
    none = splits.validation.take([])
    measured = measure(
        base, dataclasses.replace(splits, validation=none), config, clock
    )
    known = measured.known
    if known is None or not measured.is_whole:
        raise ConfigError(
            f"config.folds is {config.folds}, and train and validation have"
            f" {len(splits.train)} examples together;"
            f" {len(measured.labels)} are read at once. With that many, one"
            " validation split says enough: leave config.folds out, or take fewer with"
            " ?limit= in config.data."
        )
    first = known.rows[splits.train.name]
    rows = {splits.train.name: first, splits.validation.name: first}
    return dataclasses.replace(
        measured, validation=first, known=dataclasses.replace(known, rows=rows)
    )
