"""The rows that a run keeps: their names, their numbers, and their memory."""

import tracemalloc

import numpy as np

from pipelines.calibration.calibration import uncalibrated
from pipelines.data.load import load
from pipelines.data.packed_strings import Strings
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import DataInfo, ImageArray, Series, Split, Splits
from pipelines.report.predictions import lines
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.outputs import Outputs
from pipelines.stages.predictions import example_names, held_out_rows, rows_of
from tests.support.pictures import photo


def _part(name, count, classes):
    pixels = ImageArray(np.broadcast_to(np.zeros(1, np.uint8), (count, 2, 2, 3)))
    names = Strings.of(f"image {i}" for i in range(count))
    return Split(name, pixels, np.arange(count) % classes, names=names)


def _held_out(count, classes):
    """A calibration that changes nothing, and random outputs for two splits."""
    parts = [_part(name, count, classes) for name in ("validation", "test")]
    draw = np.random.default_rng(0)
    outputs = [
        Outputs(
            part.name,
            part.labels,
            draw.standard_normal((count, classes), np.float32),
            np.zeros((count, 1), np.float32),
        )
        for part in parts
    ]
    class_names = tuple(f"class {k}" for k in range(classes))
    info = DataInfo(class_names, {}, "", "builtin:digits")
    splits = Splits(parts[0], *parts, info)
    return Calibrated(uncalibrated(classes, reason=""), *outputs), splits


def test_rows_follow_the_order_of_the_examples():
    calibrated, splits = _held_out(30, 3)
    every = list(held_out_rows(calibrated, splits))
    assert [row.split for row in every] == ["validation"] * 30 + ["test"] * 30
    assert [row.example for row in every[30:]] == [f"image {i}" for i in range(30)]
    assert [row.label for row in every[:4]] == [f"class {k}" for k in (0, 1, 2, 0)]
    test = calibrated.calibration.answer(calibrated.test.logits, np.zeros((30, 1)))
    for row, expected, label in zip(every[30:], test.probabilities, test.labels):
        assert row.predicted == f"class {label}" == next(iter(row.probabilities))
        assert row.confidence == max(row.probabilities.values())
        of_classes = [row.probabilities[f"class {k}"] for k in range(3)]
        np.testing.assert_allclose(of_classes, expected, rtol=1e-6)
        assert row.accepted
        assert row.ood_score == 0.0


def _only_row(probabilities, label):
    count = len(probabilities)
    (row,) = rows_of(
        "test",
        ["a.png"],
        labels=np.array([label]),
        predicted=["0"],
        probabilities=np.array([probabilities]),
        ood_score=np.array([0.1]),
        accepted=np.array([True]),
        class_names=[str(k) for k in range(count)],
    )
    return row


def test_many_classes_leave_the_largest_and_label():
    equal = np.full(1000, 0.001)
    assert list(_only_row(equal, 3).probabilities) == [str(k) for k in range(10)]
    equal[500] = 0.01
    kept = list(_only_row(equal, 999).probabilities)
    assert kept == ["500", *(str(k) for k in range(9)), "999"]
    assert len(_only_row(np.full(20, 0.05), 0).probabilities) == 20
    assert len(_only_row(np.full(21, 0.05), 0).probabilities) == 10


def test_numbers_are_the_shortest_of_float32():
    row = _only_row([0.1, 0.9], 0)
    assert (row.ood_score, row.confidence) == (0.1, 0.9)
    assert row.probabilities == {"1": 0.9, "0": 0.1}


def test_same_outputs_give_the_same_bytes():
    first, second = (b"".join(lines(held_out_rows(*_held_out(40, 30)))) for _ in "ab")
    assert first == second
    assert first.count(b"\n") == 80


def test_thousands_of_classes_stay_bounded_in_memory():
    calibrated, splits = _held_out(1500, 10_000)  # 240 MB as float64 probabilities
    tracemalloc.start()
    written = sum(map(len, lines(held_out_rows(calibrated, splits))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written < 3000 * 600
    assert peak < 200 * 2**20  # a portion, 32 MiB in float64, and its few copies


def test_example_is_a_file_or_a_row(tmp_path):
    table = "image,label\n"
    for name in "ab":
        (tmp_path / "photos" / name).mkdir(parents=True)
    for i in range(12):
        photo(i).save(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png")
        table += f"photos/{'ab'[i % 2]}/{i}.png,{'ab'[i % 2]}\n"
    (tmp_path / "photos.csv").write_text(table)
    folder, csv = (
        DatasetRef.parse(text)
        for text in (f"dir:{tmp_path / 'photos'}", f"csv:{tmp_path / 'photos.csv'}")
    )
    of_folder = set(example_names(load(folder).test, folder))
    of_table = set(example_names(load(csv).test, csv))
    assert of_folder
    assert of_folder <= {f"{'ab'[i % 2]}/{i}.png" for i in range(12)}
    assert of_table
    assert of_table <= {f"photos/{'ab'[i % 2]}/{i}.png" for i in range(12)}
    series = Split("test", Series(np.zeros((2, 3, 1), np.float32)), np.zeros(2, int))
    assert list(example_names(series, DatasetRef.parse("npz:x"))) == ["row 0", "row 1"]
