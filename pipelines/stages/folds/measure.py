"""The measurements of a run with folds: one pass over all that any fold trains on.

Where these are more examples than are measured, what the head reads of the others is
read when the plan is known: the outputs of a few blocks instead of all.
"""

from __future__ import annotations

import dataclasses

import keras

from pipelines.config import RunConfig
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.readers.arrays import MEMORY_SHARE, machine_memory_bytes
from pipelines.data.splits import Splits
from pipelines.errors import ConfigError
from pipelines.features.block_vectors import vectors_of
from pipelines.features.extract import Reader
from pipelines.planning.plan import HeadPlan
from pipelines.runtime.clock import Clock
from pipelines.stages.evidence.read import read, with_other_views
from pipelines.stages.measure import Measured, measure
from zoo.builder import Backbone

# Of each number that a head reads: twice in float16, all and those of some folds; and
# twice in float32, standardized and around their mean, while a head is solved.
_BYTES_OF_A_NUMBER = 2 * 2 + 2 * 4


def measure_pooled(
    base: Backbone, splits: Splits, config: RunConfig, clock: Clock
) -> Measured:
    """What `measure` gives for pooled splits, each example read once at most.

    Of more examples than are read at once, it knows some; see `with_every_example`.

    Raises:
        ConfigError: as `measure`.
        TrainingError: if a feature is not a finite number.
    """
    none = splits.validation.take([])
    measured = measure(
        base, dataclasses.replace(splits, validation=none), config, clock
    )
    known = measured.known
    if known is None or not measured.is_whole:
        return measured
    first = known.rows[splits.train.name]
    rows = {splits.train.name: first, splits.validation.name: first}
    return dataclasses.replace(
        measured, validation=first, known=dataclasses.replace(known, rows=rows)
    )


def require_memory(
    measured: Measured,
    head: HeadPlan,
    *,
    examples: int,
    memory_bytes: int | None = None,
) -> None:
    """Raises `ConfigError` if what a head reads of all examples does not fit.

    Half of `memory_bytes` may be used, by default half of this machine's memory. A head
    that starts from no probe needs nothing.
    """
    if not head.standardized:
        return
    width = sum(measured.train[name, head.grid].shape[1] for name in head.reads)
    memory = machine_memory_bytes() if memory_bytes is None else memory_bytes
    for_one = measured.views * width * _BYTES_OF_A_NUMBER
    fit_in = int(memory * MEMORY_SHARE) // for_one
    if examples <= fit_in:
        return
    views = f" in {measured.views} views" if measured.views > 1 else ""
    fewer = " head.views=1," if measured.views > 1 else ""
    raise ConfigError(
        f"config.folds fits heads to all {examples} examples of train and validation"
        f" together. The head reads {width} numbers of each{views}, which takes"
        f" {examples * for_one / 1e9:.1f} GB, and half of this machine's memory is"
        f" {memory * MEMORY_SHARE / 1e9:.1f} GB. Take at most {fit_in} examples with"
        f" ?limit= in config.data,{fewer} a narrower backbone, or leave config.folds"
        " out."
    )


def with_every_example(
    base: Backbone,
    splits: Splits,
    measured: Measured,
    head: HeadPlan,
    config: RunConfig,
    clock: Clock,
) -> Measured:
    """The same with what the head reads of all examples, in every view.

    Nothing is read where everything was measured, and for a head that starts from no
    probe. `base` is the one that the head is
    on; the pass ends early if the time budget does not allow it.

    Raises:
        ConfigError: if one pass does not end within the time budget.
        DataError: naming files that have changed since they were checked.
    """
    if len(measured.labels) == len(splits.train) or not head.standardized:
        return measured
    every, views = splits.train, measured.views
    clock.part(f"the blocks that the head reads, of all {len(every)} examples")
    vectors = vectors_of(base)
    keys = [(name, head.grid) for name in head.reads]
    reader = Reader(keras.Model(base.model.input, [vectors[key] for key in keys]))
    with broken_files_named(every):
        first, _ = read(reader, base, keys, every, None, config, clock, views=views)
        train = with_other_views(first, reader, base, every, config, clock, views=views)
    return dataclasses.replace(
        measured,
        labels=every.labels,
        weights=every.weights,
        train=train,
        validation=first,
        is_whole=True,
    )
