"""Workers together read every record once, in the same order each time."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from pipelines.data.readers.record_stream import worker_records
from tests.support.records import write


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """42 records in four files."""
    folder = tmp_path_factory.mktemp("records")
    for k in range(4):
        rows = [{"label": i} for i in range(k, 42, 4)]
        write(folder / f"{k}.tfrecord", rows)
    return folder


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_workers_see_every_record_once(written: Path, workers: int) -> None:
    """Seven are more than there are files, so those share the records of all."""
    paths = sorted(map(str, written.glob("*.tfrecord")))
    every = sorted(tf.data.TFRecordDataset(paths).as_numpy_iterator())
    assert len(every) == 42
    parts = [
        list(worker_records(paths, worker=k, workers=workers).as_numpy_iterator())
        for k in range(workers)
    ]
    assert all(parts)
    assert sorted(sum(parts, [])) == every
    again = worker_records(paths, worker=0, workers=workers).as_numpy_iterator()
    assert list(again) == parts[0]


def test_unknown_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="worker is 2 of 2; it counts from 0 to 1"):
        worker_records(["a"], worker=2, workers=2)
