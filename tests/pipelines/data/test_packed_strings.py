"""Packed strings are the strings that were packed."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from pipelines.data.packed_strings import Packer, Strings
from pipelines.display.text import shown

ODD = ["", "a", "naïve 猫", "two\nlines", os.fsdecode(b"\xff\x00\xfe"), "a", "a" * 300]


@pytest.mark.parametrize("count", [0, 1, 7, 70_000])
def test_a_sequence_of_strings(count: int) -> None:
    values = [f"{i}{ODD[i % len(ODD)]}" for i in range(count)]
    packed = Strings.of(iter(values))
    assert len(packed) == count
    assert list(packed) == values
    assert packed == values
    assert packed == tuple(values)
    assert packed != [*values, "more"]
    assert Strings.of(packed) is packed
    if count:
        assert packed[count - 1] == packed[-1] == values[-1]
        assert packed != [*values[:-1], "other"]


def test_taking_shares_memory_and_compact_does_not() -> None:
    packed = Strings.of(ODD)
    rows = np.array([6, 2, 2, 0])
    taken = packed.take(rows)
    assert taken == [ODD[i] for i in rows]
    assert taken.block is packed.block
    small = packed.take([1, 3]).compact()
    assert small == ["a", "two\nlines"]
    assert bytes(small.block) == b"atwo\nlines"
    assert packed[2:5] == ODD[2:5]
    assert packed[2:5].compact() == ODD[2:5]
    assert packed[1:2].compact().block.nbytes == 1
    assert packed.take([]).compact() == []


def test_without_a_prefix() -> None:
    assert Strings.of(["/a/b", "/a/naïve"]).without_first(3) == ["b", "naïve"]


@pytest.mark.parametrize(
    "values",
    [ODD, ["bb", "aa", "bb", "cc", "aa"], ["x"], [], [""], ["é", "e\x00", "e\x01"]],
)
def test_codes_are_ranks(values: list[str]) -> None:
    ranks = sorted({os.fsencode(value) for value in values})
    expected = [ranks.index(os.fsencode(value)) for value in values]
    assert Strings.of(values).codes().tolist() == expected


def test_codes_of_many_strings_of_one_length() -> None:
    """More than are compared at a time, so that the seams are seen."""
    values = np.random.default_rng(0).integers(0, 100_000, 140_000)
    codes = Strings.of(f"{value:06}" for value in values).codes()
    assert (codes == np.unique(values, return_inverse=True)[1]).all()


def test_what_is_sent_to_another_process_is_small() -> None:
    packed = Strings.of(f"path number {i}" for i in range(10_000))
    sent = pickle.dumps(packed.take([5, 7]))
    assert pickle.loads(sent) == ["path number 5", "path number 7"]
    assert len(sent) < 1000


def test_packing_one_by_one() -> None:
    packer = Packer()
    for value in ODD:
        packer.add(value)
    assert packer.packed() == ODD


def test_shown_fits_into_a_line() -> None:
    assert shown("it's naïve 猫") == "it's naïve 猫"
    assert shown("two\nlines") == r"two\nlines"
    assert shown(os.fsdecode(b"\xff.jpg")) == r"\udcff.jpg"


def test_repeats_name_the_first_place_of_a_string() -> None:
    assert Strings.of(["b", "a", "b", "c", "a", "b"]).repeats() == [
        (0, 2),
        (1, 4),
        (0, 5),
    ]
    assert Strings.of(["b", "a"]).repeats() == Strings.of([]).repeats() == []
