"""Damaged files of records are named with the record, and other files refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from pipelines.data.readers.records import read
from pipelines.errors import DataError
from tests.support.records import ref


def test_damaged_files_are_named_with_the_record(images: str, tmp_path: Path) -> None:
    path = tmp_path / "data-1.tfrecord"
    whole = path.read_bytes()
    second = 12 + int.from_bytes(whole[:8], "little") + 4
    for content, message in (
        (whole[:-7], "Record 4 of .*data-1.tfrecord, .* ends in the middle of it"),
        (whole[: second + 5], "Record 1 of .*data-1.tfrecord, .* in the middle of it"),
        (
            whole[: second + 40] + b"?" + whole[second + 41 :],
            f"Record 1 of .*data-1.tfrecord, at byte {second}, .* checksum",
        ),
        (b"?" + whole[1:], "Record 0 of .*data-1.tfrecord, at byte 0, .* checksum"),
        (b"\x1f\x8b" + whole, "Record 0 of .*data-1.tfrecord.* probably compressed"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            read(ref(images))
    path.write_bytes(whole)
    assert len(read(ref(images))) == 40


def test_other_files_are_refused(images: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No file matches .*/gone-\*.tfrecord"):
        read(ref(tmp_path / "gone-*.tfrecord"))
    with pytest.raises(DataError, match=r"is not a file of records. Name the files"):
        read(ref(tmp_path))
    empty = tmp_path / "empty.tfrecord"
    empty.touch()
    with pytest.raises(DataError, match="have the keys . Say which"):
        read(ref(empty))
    with pytest.raises(DataError, match="empty.tfrecord has no record"):
        read(ref(empty, "?image=image"))
    with tf.io.TFRecordWriter(str(empty)) as writer:
        writer.write(b"no example")
    with pytest.raises(DataError, match="Record 0 of .*empty.* is not a tf.Example"):
        read(ref(empty))
    assert len(read(ref(images))) == 40
