"""Grades: their order, gaps in it, and how many there must be."""

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support.labelled import in_arrays, in_table


def test_grades_are_in_the_order_of_their_numbers(tmp_path):
    labels = ["10_high", "-5 low", "2.5", "10_high"]
    examples = read(DatasetRef.parse(in_table(tmp_path, labels)), "ordinal")
    assert examples.class_names == ("-5 low", "2.5", "10_high")
    assert examples.labels.tolist() == [2, 0, 1, 2]
    assert any("-5 low < 2.5 < 10_high" in note for note in examples.notes)


def test_declared_names_are_in_their_own_order(tmp_path):
    y, names = np.arange(9) % 3, ["low", "middle", "high"]
    ref = DatasetRef.parse(in_arrays(tmp_path, y, class_names=names))
    assert read(ref, "ordinal").class_names == tuple(names)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (["1", "2", "4", "5"], "no example of a grade between 2 and 4"),
        (["0", "10", "30"], "between 10 and 30, and other grades are 10 apart"),
        (["1_a", "1_b", "2"], "'1_a', '1_b' with the same number"),
    ],
)
def test_gaps_and_doubles_among_grades_are_refused(tmp_path, labels, sentence):
    with pytest.raises(DataError, match=sentence):
        read(DatasetRef.parse(in_table(tmp_path, labels)), "ordinal")


def test_two_grades_are_two_classes(tmp_path):
    ref = DatasetRef.parse(in_arrays(tmp_path, np.arange(20) % 2))
    with pytest.raises(DataError, match="two grades.*'single_label'"):
        check_and_split(read(ref, "ordinal"), ref)
