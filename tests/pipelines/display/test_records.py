"""Nested values have dotted names, and records differ in some of them."""

from pipelines.display.records import differences, dotted

RECORD = {"seed": 0, "head": {"sizes": [3, 4]}, "phases": [{"epochs": 2}], "empty": {}}


def test_dotted_keeps_lists_whole():
    assert dotted(RECORD) == {
        "seed": 0,
        "head.sizes": [3, 4],
        "phases": [{"epochs": 2}],
    }


def test_dotted_counts_items_if_asked():
    assert dotted(RECORD, into_lists=True) == {
        "seed": 0,
        "head.sizes.0": 3,
        "head.sizes.1": 4,
        "phases.0.epochs": 2,
    }


def test_differences_are_pairs_by_name():
    other = {"seed": 1, "head": {"sizes": [3, 5]}, "phases": []}
    assert differences(RECORD, other) == {
        "seed": (0, 1),
        "head.sizes": ([3, 4], [3, 5]),
        "phases": ([{"epochs": 2}], []),
    }
    assert differences(RECORD, other, into_lists=True) == {
        "seed": (0, 1),
        "head.sizes.1": (4, 5),
        "phases.0.epochs": (2, None),
    }
    assert differences(RECORD, {**RECORD}) == {}
