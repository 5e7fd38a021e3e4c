"""Arrays, lists and pairs that a caller passes."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.data.in_memory.arrays import labels_of, of_arrays, of_pairs, texts_of
from pipelines.errors import DataError

X = np.zeros((4, 8, 8, 3), np.uint8)
Y = ["b", "a", "b", "a"]


def examples(x, y, *weight, problem="auto"):
    return of_arrays(x, y, *weight).examples(on_bad="fail", problem=problem)


def test_arrays_are_read_as_those_of_npz():
    read = examples(X, Y)
    assert read.class_names == ("a", "b")
    assert read.labels.tolist() == [1, 0, 1, 0]
    assert read.inputs.held is X  # which is no copy
    assert examples(X, [10, 2, 10, 2]).class_names == ("2", "10")
    assert examples(["good", "bad", "so", "la"], Y).inputs.modality == "text"
    assert examples(np.zeros((4, 9)), Y).inputs.modality == "series"
    assert examples(X, Y, [1, 2, 3, 4]).weights.tolist() == [1, 2, 3, 4]


def test_numbers_and_several_labels_are_other_problems():
    assert examples(X, [0.5, 1.5, 2.5, 9.25]).problem == "regression"
    several = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    assert examples(X, several).problem == "multi_label"


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X / 255, Y, "float64; images are uint8"),
        (X[0], Y, "it needs one value for each of the 8 images"),
        (X[..., :2], Y, r"shape \(4, 8, 8, 2\)"),
        (X, Y[:3], "it needs one value for each of the 4 images"),
        (X, ["a", None, "b", float("nan")], "missing for 2 examples: 1, 3"),
        (X, [object()] * 4, "holds objects"),
        (X, ["a", 1, "b", 2], r"holds objects \(int, str\)"),
        (np.ma.masked_equal(X, 0), Y, "masked array"),
        (X, np.ma.masked_equal([1, 2, 1, 2], 2), "masked values"),
        (iter(X), Y, "list_iterator|array_iterator|iterator"),
        (["one", 2, "three", "four"], Y, "Text 1 in the arrays"),
        ([X[0], X[1][:4], X[2], X[3]], Y, "have 2 sizes"),
    ],
)
def test_other_arrays_are_refused(x, y, message):
    with pytest.raises(DataError, match=message):
        examples(x, y)


def test_pairs_are_files_and_labels(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"")
    pairs = [(tmp_path / "a", "x"), (str(tmp_path / "b"), "y")]
    read = of_pairs(pairs).examples(on_bad="fail", problem="auto")
    assert list(read.inputs.paths) == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert read.class_names == ("x", "y")


def test_labels_of_pandas_lose_their_index():
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(["b", "a"], index=[7, 9], dtype="category")
    assert labels_of(column, name="y", where="here").tolist() == ["b", "a"]


def test_no_text_stays_no_text():
    assert texts_of([], where="here").shape == (0,)
