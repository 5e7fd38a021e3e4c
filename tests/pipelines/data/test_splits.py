"""Examples and splits give parts of themselves with all their columns."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.data.packed_strings import Strings
from pipelines.data.splits import (
    Examples,
    ImageArray,
    ImageFiles,
    Series,
    Split,
    Texts,
    first,
)

ROWS = np.array([2, 0])


def test_take_keeps_every_column_in_order() -> None:
    examples = Examples(
        inputs=Texts(np.array([b"x", b"y", b"z"], object)),
        names=("a", "b", "c"),
        labels=np.array([0, 1, 0]),
        class_names=("no", "yes"),
        groups=("p", "q", "r"),
        splits=("train", "train", "test"),
    )
    some = examples.take(ROWS)
    assert some.inputs.values.tolist() == [b"z", b"x"]
    assert (some.names, some.groups) == (("c", "a"), ("r", "p"))
    assert (some.splits, some.labels.tolist()) == (("test", "train"), [0, 0])
    assert some.split_codes().tolist() == [2, 0]
    assert len(some) == 2


def test_split_codes_without_splits_are_none() -> None:
    inputs = ImageFiles(("a.png",))
    assert Examples(inputs, ("a",), np.zeros(1, int), ("x",)).split_codes() is None


def test_take_inputs_of_every_modality() -> None:
    files = ImageFiles(("a.png", "b.png", "c.png"), maximum_megapixels=9.0)
    assert files.take(ROWS) == ImageFiles(("c.png", "a.png"), 9.0)
    assert files.where(1) == "b.png"
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 2, 2, 3)
    assert (ImageArray(pixels).take(ROWS).pixels == pixels[ROWS]).all()
    series = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    assert (Series(series).take(ROWS).values == series[ROWS]).all()


def test_first_of_a_split_loses_its_digest() -> None:
    inputs = Texts(np.array([b"x", b"y", b"z"], object))
    split = Split("train", inputs, np.arange(3), np.array([4, 5, 4]), digest="d")
    some = first(split, 2)
    assert (some.name, len(some), some.digest) == ("train", 2, None)
    assert some.groups.tolist() == [4, 5]
    assert some.names is None
    named = dataclasses.replace(split, names=Strings.of(["a", "b", "c"]))
    assert named.take([2, 0]).names == ["c", "a"]
    assert len(first(split, 9)) == 3
