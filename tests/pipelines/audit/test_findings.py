"""Names and sizes of classes that are probably wrong are found, and no others."""

from __future__ import annotations

import pytest

from pipelines.audit.findings import class_findings


@pytest.mark.parametrize(
    ("counts", "what", "about"),
    [
        ({"a": 0, "b": 9}, "a class with no example", ("a",)),
        ({"a": 1, "b": 9}, "a class with one example, and 3 are needed", ("a",)),
        ({"a": 2, "b": 9}, "a class with two examples, and 3 are needed", ("a",)),
        ({"a": 101, "b": 10}, "10 times as many", ("a", "b")),
        ({"cat ": 9, "cat": 9}, "differ by blanks", ("'cat ' and 'cat'",)),
        ({"Cat": 9, "cat": 9}, "upper and lower case", ("'Cat' and 'cat'",)),
        ({"cats": 9, "cat": 9}, "by one letter", ("'cats' and 'cat'",)),
        ({"tulip": 9, "tulib": 9}, "by one letter", ("'tulip' and 'tulib'",)),
    ],
)
def test_classes_that_look_wrong(
    counts: dict[str, int], what: str, about: tuple[str, ...]
) -> None:
    (found,) = class_findings(counts)
    assert what in found.problem
    assert found.about == about


@pytest.mark.parametrize(
    "counts",
    [
        {"1": 9, "2": 9, "10": 9, "11": 9},
        {"a": 9, "b": 9},
        {"rose": 100, "tulip": 10},
        {"house": 9, "horses": 9},
    ],
)
def test_classes_that_are_right(counts: dict[str, int]) -> None:
    assert list(class_findings(counts)) == []


def test_given_splits_are_counted_by_themselves() -> None:
    """Validation is carved, so train needs two; the test split is as it is."""
    given = {"train": {"a": 1, "b": 9, "c": 2}, "test": {"a": 9, "b": 1, "c": 0}}
    few, none = class_findings({"a": 10, "b": 10, "c": 2}, by_split=given)
    assert (few.severity, few.about) == ("error", ("a",))
    assert few.problem == "a class with one example, and 2 are needed"
    assert (none.severity, none.about) == ("warning", ("c",))
    assert none.problem == "no example in the test split"
