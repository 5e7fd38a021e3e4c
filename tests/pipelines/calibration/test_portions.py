"""Portions of rows: each row is in one of them, and none is too large."""

import pytest

from pipelines.calibration.portions import AT_ONCE, portions


@pytest.mark.parametrize(
    ("rows", "width"), [(0, 5), (1, 0), (7, 1), (3, AT_ONCE), (5, AT_ONCE // 2)]
)
def test_every_row_is_in_one_portion(rows, width):
    read = [i for part in portions(rows, width) for i in range(rows)[part]]
    assert read == list(range(rows))


def test_a_portion_is_bounded_and_not_empty():
    assert [part.stop - part.start for part in portions(5, AT_ONCE // 2)] == [2, 2, 1]
    assert [part.stop - part.start for part in portions(2, 2 * AT_ONCE)] == [1, 1]


def test_few_rows_are_one_portion():
    assert list(portions(1000, 10)) == [slice(0, 1000)]
