"""Nested values have dotted names, and records differ in some of them."""

from pipelines.display.records import differences, dotted, filled

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


def test_missing_names_are_filled_at_any_depth():
    saved = {"phases": [{"epochs": 2}], "extra": 1, "head": 3}
    ours = {"phases": [{"epochs": 9, "tune": "all"}], "head": {"grid": 1}, "seed": 0}
    assert filled(saved, ours) == {
        "phases": [{"epochs": 2, "tune": "all"}],
        "head": 3,
        "seed": 0,
        "extra": 1,
    }
    assert filled([1], [2, 3]) == [1]
