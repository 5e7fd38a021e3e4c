"""tf.Example records: what is read of them, and what is refused with its number."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.images.decode import decode_and_resize
from pipelines.data.input.batches import batches, training_batches
from pipelines.data.load import load
from pipelines.data.readers.records import read
from pipelines.data.splits import ImageRecords, Split, Texts
from pipelines.errors import DataError
from tests.support.records import encoded, ref, write


def test_images_stay_in_their_files(images: str) -> None:
    examples = read(ref(images))
    assert isinstance(examples.inputs, ImageRecords)
    assert examples.class_names == ("1", "2", "10")
    assert examples.labels.tolist() == [i % 3 for i in range(40)]
    assert examples.names[16] == "data-1.tfrecord, record 1"
    expected = [hashlib.sha256(encoded(i)).hexdigest() for i in range(40)]
    assert content_hashes(examples.inputs) == expected


def test_batches_of_records_equal_those_of_files(images: str) -> None:
    examples = read(ref(images))
    some = np.array([33, 2, 17])
    split = Split("train", examples.inputs.take(some), examples.labels[some])
    (pixels, labels), *rest = batches(split, input_size_px=8, batch_size=4)
    assert not rest
    for i, row, label in zip(some, pixels.numpy(), labels.numpy()):
        assert (row == decode_and_resize(tf.constant(encoded(i)), 8).numpy()).all()
        assert label == i % 3


def test_order_depends_on_seed_and_epoch_only(images: str) -> None:
    examples = read(ref(images))
    split = Split("train", examples.inputs, np.arange(40))

    def epochs(count: int, **options: int) -> list[list[int]]:
        stream = training_batches(split, input_size_px=4, batch_size=40, **options)
        return [labels.numpy().tolist() for _, labels in stream.take(count)]

    first, second = epochs(2, seed=0)
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second
    assert epochs(1, seed=0, first_epoch=1) == [second]
    assert epochs(1, seed=1) != [first]


def test_records_are_split_like_any_data(images: str) -> None:
    splits = load(ref(images))
    sizes = [len(part) for part in (splits.train, splits.validation, splits.test)]
    assert sizes == [28, 6, 6]
    assert splits.info.fingerprint == load(ref(images, "?seed=3")).info.fingerprint


def test_texts_with_keys_of_other_names(tmp_path: Path) -> None:
    rows = [
        {"body": b"rain", "kind": b"no", "who": 7, "part": b"train"},
        {"body": "naïve".encode(), "kind": "été".encode(), "who": 8, "part": b"val"},
    ]
    path = write(tmp_path / "a.tfrecord", rows)
    options = "?text=body&label=kind&group=who&split=part"
    examples = read(ref(path, options))
    assert isinstance(examples.inputs, Texts)
    assert examples.inputs.values.tolist() == [b"rain", "naïve".encode()]
    assert examples.class_names == ("no", "été")
    assert examples.groups == ("7", "8")
    assert examples.splits == ("train", "validation")


def test_groups_stay_together(tmp_path: Path) -> None:
    rows = [
        {"image": encoded(i), "label": i % 2, "patient": b"p%d" % (i // 4)}
        for i in range(48)
    ]
    path = write(tmp_path / "a.tfrecord", rows)
    splits = load(ref(path, "?group=patient"))
    patients = [
        {int(i) // 4 for i in part.inputs.record}
        for part in (splits.train, splits.validation, splits.test)
    ]
    assert all(patients)
    assert sum(map(len, patients)) == len(set.union(*patients)) == 12


@pytest.mark.parametrize(
    ("row", "options", "message"),
    [
        ({"label": 0}, "?image=image", "Record 1 of .*a.tfrecord has no key 'image'"),
        ({"image": b"x"}, "", "Record 1 .* has no key 'label'. Allowed: image"),
        ({"image": b"x", "lable": 0}, "", "no key 'label'.*Did you mean 'lable'"),
        (
            {"image": 3, "label": 0},
            "",
            "has 1 whole numbers under 'image'; .* of bytes",
        ),
        ({"image": b"x", "label": 0.5}, "", "has 1 floats under 'label'"),
        ({"image": b"x", "label": [1, 2]}, "", "has 2 whole numbers under 'label'"),
        (
            {"image": b"x", "label": b"one"},
            "",
            "Record 1 .* label 'one', and .* has 0",
        ),
        ({"image": b"x", "label": b"\xff"}, "", "Record 1 .* no UTF-8 under 'label'"),
        ({"image": b"x", "label": 1}, "?group=who", "Record 0 .* no key 'who'"),
        ({"image": b"x", "label": 1}, "?text=body", "Record 0 .* no key 'body'"),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    tmp_path: Path, row: dict, options: str, message: str
) -> None:
    path = write(tmp_path / "a.tfrecord", [{"image": encoded(0), "label": 0}, row])
    with pytest.raises(DataError, match=message):
        read(ref(path, options))
    write(path, [{"image": encoded(i), "label": i} for i in range(2)])
    assert len(read(ref(path))) == 2


def test_a_damaged_image_is_named_by_its_record(tmp_path: Path) -> None:
    rows = [{"image": encoded(i), "label": i % 2} for i in range(20)]
    whole, rows[7]["image"] = rows[7]["image"], rows[7]["image"][:60]
    path = write(tmp_path / "a.tfrecord", rows)
    with pytest.raises(
        DataError, match="1 of 20 .*\n  .*a.tfrecord, record 7: cut-short"
    ):
        load(ref(path))
    rows[7]["image"] = b""
    with pytest.raises(DataError, match="a.tfrecord, record 7: empty"):
        load(ref(write(path, rows)))
    rows[7]["image"] = whole
    assert len(load(ref(write(path, rows))).train) == 12


def test_file_changed_after_indexing_is_refused(images: str) -> None:
    examples = read(ref(images))
    path = Path(examples.inputs.shards[2])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="record 19 ends early: .* has changed since"):
        content_hashes(examples.inputs.take([39]))
    path.write_bytes(whole)
    assert len(content_hashes(examples.inputs)) == 40
