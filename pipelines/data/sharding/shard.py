"""`zoo shard`: a data set as files of records, written by Apache Beam.

The same function runs in this process, or on Dataflow, Flink or Spark by their options.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.data.checks.inspect_files import OnProgress
from pipelines.data.images.encoded import sent_bytes
from pipelines.data.load import load
from pipelines.data.readers.sidecar import Sidecar
from pipelines.data.reference import DatasetRef
from pipelines.data.sharding.beam import LOCAL, import_beam, run_jobs
from pipelines.data.splits import (
    Split,
    Splits,
)
from pipelines.errors import DataError
from zoo.storage import durable
from zoo.storage.home import expanded


@dataclasses.dataclass(frozen=True, eq=False)
class ShardJob:
    """One file to write, and its examples."""

    path: str
    split: Split


def shard(
    ref: DatasetRef,
    to: Path,
    *,
    shards: int,
    runner: str = LOCAL,
    options: Sequence[str] = (),
    on_progress: OnProgress | None = None,
) -> Sidecar:
    """Writes the splits of a data set as `to/SPLIT/SPLIT-00000-of-00008.tfrecord`.

    A record has `image` (encoded) or `text`, `label` (an index), `split`, and `weight`
    if examples have weights; class names are in `to/zoo_shards.json`. `shards` files
    are written for each split, fewer where it has fewer examples. Neighbours in a split
    go to different files, and the same data always give the same bytes. `to` appears
    complete or not at all.

    `options` are those of Beam's `runner`, as in `--region=europe-west1`. Its workers
    must see the data and `to` under the same paths.

    Raises:
        DataError: as `load`; if the data are series or a table; or if `to` is there
            already.
        ConfigError: if Beam is not installed.
    """
    to = expanded(to).absolute()
    if to.exists():
        raise DataError(f"{to} is there already. Name a new folder with --to.")
    if shards < 1:
        raise DataError(f"--shards is {shards}; it must be 1 or more.")
    beam = import_beam()
    splits = load(ref, on_progress=on_progress)
    if splits.train.inputs.modality == "series":
        raise DataError(f"{ref} holds series; 'npz:' keeps those, and records do not.")
    if splits.train.inputs.modality == "table":
        raise DataError(
            f"{ref} holds rows of a table; 'csv:' and 'parquet:' keep those, and"
            " records do not."
        )
    if splits.train.inputs.modality == "sound":
        raise DataError(
            f"{ref} holds sounds, which stay files; records do not hold"
            " them. Train on the folder or the table itself."
        )
    with _published(to) as folder:
        jobs = list(_jobs(splits, folder, shards))
        run_jobs(beam, jobs, write_file, runner=runner, options=options)
        sidecar = Sidecar(
            class_names=splits.info.class_names,
            modality=splits.train.inputs.modality,
            counts=splits.info.counts,
            fingerprint=splits.info.fingerprint,
            reference=splits.info.reference,
            weighted=splits.train.weights is not None,
        )
        sidecar.write(folder)
    return sidecar


def write_file(job: ShardJob) -> int:
    """Writes one file of records, and returns their number."""
    inputs, modality = job.split.inputs, job.split.inputs.modality
    with tf.io.TFRecordWriter(job.path) as writer:
        for i, label in enumerate(job.split.labels):
            features = {
                modality: _bytes(sent_bytes(inputs, i)),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "split": _bytes(job.split.name.encode()),
            }
            if job.split.weights is not None:
                weight = tf.train.FloatList(value=[job.split.weights[i]])
                features["weight"] = tf.train.Feature(float_list=weight)
            example = tf.train.Example(features=tf.train.Features(feature=features))
            # In one order of keys, so that a second run writes the same bytes.
            writer.write(example.SerializeToString(deterministic=True))
    return len(job.split)


def _jobs(splits: Splits, folder: Path, shards: int) -> Iterator[ShardJob]:
    for split in (splits.train, splits.validation, splits.test):
        (folder / split.name).mkdir()
        count = max(1, min(shards, len(split)))
        for k in range(count):
            name = f"{split.name}-{k:05}-of-{count:05}.tfrecord"
            rows = np.arange(k, len(split), count)
            yield ShardJob(str(folder / split.name / name), split.take(rows))


@contextlib.contextmanager
def _published(to: Path) -> Iterator[Path]:
    """A folder beside `to` that becomes it at the end, or is removed.

    Raises:
        DataError: if it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            new = durable.publish_folder(to, prefix=".unpublished-")
            folder = stack.enter_context(new)
        except OSError as error:
            raise DataError(
                f"{to.parent} cannot be written: {error.strerror}. Name a new folder"
                " elsewhere with --to."
            ) from error
        yield folder


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
