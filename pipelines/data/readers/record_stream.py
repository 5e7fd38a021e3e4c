"""The records of one of several workers, interleaved; no record is read twice."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from pipelines.data.input.autotune import untuned

# Files that are read at the same time.
_CYCLE = 16


def worker_records(
    paths: Sequence[str], *, worker: int, workers: int
) -> tf.data.Dataset:
    """The serialized records that worker `worker` of `workers` reads, strings `[]`.

    All workers together see every record once. Whole files go to each worker where
    there are as many; else each takes every `workers`-th record of all files. Files are
    interleaved, always in the same order.

    Raises:
        ValueError: if `worker` is not from 0 to `workers - 1`.
    """
    if not 0 <= worker < workers:
        raise ValueError(
            f"worker is {worker} of {workers}; it counts from 0 to {workers - 1}."
        )
    files = untuned(tf.data.Dataset.from_tensor_slices(list(paths)))
    by_file = len(paths) >= workers
    if by_file:
        files = files.shard(workers, worker)
    records = files.interleave(
        tf.data.TFRecordDataset,
        cycle_length=_CYCLE,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    return records if by_file else records.shard(workers, worker)
