"""Numbers in words say what they are."""

import pytest

from pipelines.report.words import counted, interval, percent, right_of


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.5, "50.0%"), (0.9999, "99.99%"), (0.0004, "0.04%")],
)
def test_percent_tells_nearly_all_from_all(share, text):
    assert percent(share) == text


def test_interval_is_wider_for_comparisons_and_few():
    low, high = interval(9, 10)
    assert (low, high) == pytest.approx((0.5958, 0.9821), abs=1e-4)
    wider = interval(9, 10, comparisons=100)
    assert wider[0] < low < high < wider[1]
    narrower = interval(900, 1000)
    assert low < narrower[0] < narrower[1] < high


def test_counted_takes_the_plural():
    assert counted(1, "class") == "1 class"
    assert counted(0, "mistake") == "0 mistakes"
    assert counted(2, "class") == "2 classes"


def test_right_of_counts_whole_examples():
    assert right_of({"accuracy": 2 / 3, "examples": 3}) == 2
