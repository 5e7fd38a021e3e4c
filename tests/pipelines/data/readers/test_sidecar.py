"""The file that `zoo shard` leaves names the classes and counts the records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.data.readers import sidecar
from pipelines.data.readers.records import read
from pipelines.errors import DataError
from tests.support.records import encoded, ref, write


def describe(folder: Path, **changes: object) -> None:
    """A sidecar for the classes a, b and c."""
    counts = {"train": {"a": 14, "b": 13, "c": 13}}
    values = {"format": 1, "class_names": ["a", "b", "c"], "modality": "image"}
    values |= {"counts": counts, "fingerprint": "", "reference": "dir:photos"}
    (folder / sidecar.NAME).write_text(json.dumps(values | changes))


def test_class_names_come_from_the_file_beside(tmp_path: Path) -> None:
    rows = [{"image": encoded(i), "label": i % 3, "split": b"train"} for i in range(40)]
    (tmp_path / "train").mkdir()
    write(tmp_path / "train" / "0.tfrecord", rows)
    describe(tmp_path)
    assert read(ref(tmp_path)).class_names == ("a", "b", "c")
    assert read(ref(tmp_path / "train" / "*.tfrecord")).class_names == ("a", "b", "c")
    describe(tmp_path, class_names=["a", "b"])
    with pytest.raises(DataError, match="Record 2 .* label 2; with 2 classes it may"):
        read(ref(tmp_path))
    describe(tmp_path, counts={"train": {"a": 14, "b": 13, "c": 14}})
    with pytest.raises(DataError, match="holds 40 records, and 41 were written"):
        read(ref(tmp_path))
    describe(tmp_path, counts={"train": {"a": 15, "b": 12, "c": 13}})
    with pytest.raises(DataError, match="14 records of class 'a', and 15 were"):
        read(ref(tmp_path))
    describe(tmp_path, format=2)
    with pytest.raises(DataError, match="has the format 2; this version reads 1"):
        read(ref(tmp_path))
    (tmp_path / sidecar.NAME).write_text("{")
    with pytest.raises(DataError, match="zoo_shards.json cannot be understood"):
        read(ref(tmp_path))
