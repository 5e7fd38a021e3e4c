"""Names are ordered by value and a near miss is answered."""

from __future__ import annotations

from pipelines.data.names import choices, free_name, listing, natural_key


def test_digits_order_by_value() -> None:
    names = ["10", "b2", "2", "b10", "1", "b", "a", "01"]
    expected = ["01", "1", "2", "10", "a", "b", "b2", "b10"]
    assert sorted(names, key=natural_key) == expected


def test_choices_suggest_only_what_is_near() -> None:
    assert choices("tset", ["train", "test"]) == (
        "Allowed: test, train. Did you mean 'test'?"
    )
    assert choices("zzz", ["train", "test"]) == "Allowed: test, train."


def test_listing_counts_what_it_leaves_out() -> None:
    assert listing(["a", "b", "c"], shown=2) == "a, b and 1 more"
    assert listing(["a", "b"], shown=2) == "a, b"


def test_free_name_is_not_taken_on_any_disk() -> None:
    taken: set[str] = set()
    stems = ("Cat", "cat", "CAT", "cafe\u0301", "caf\u00e9")
    names = [free_name(stem, taken, suffix=".png") for stem in stems]
    assert names == [
        "Cat.png",
        "cat-1.png",
        "CAT-2.png",
        "cafe\u0301.png",
        "caf\u00e9-1.png",
    ]
    assert free_name("cat", taken) == "cat"
