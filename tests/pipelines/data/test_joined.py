"""Two splits as one, for every kind of inputs."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.joined import joined, joined_inputs
from pipelines.data.packed_strings import Strings
from pipelines.data.splits import (
    ImageArray,
    ImageFiles,
    ImageRecords,
    Series,
    Split,
    Texts,
)

SOME = np.arange(5)
INPUTS = {
    "files": ImageFiles([f"/a/{i}.png" for i in SOME], maximum_megapixels=2.0),
    "records": ImageRecords(("a", "b"), SOME % 2, SOME, 10 * SOME, SOME + 1),
    "pixels": ImageArray(np.arange(5 * 12, dtype=np.uint8).reshape(5, 2, 2, 3)),
    "texts": Texts(np.array([b"a", b"bc", b"", b"d", b"e"], object)),
    "series": Series(np.arange(20, dtype=np.float32).reshape(5, 4, 1)),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_joined_inputs_are_those_that_were_parted(kind):
    whole = INPUTS[kind]
    again = joined_inputs(whole.take([0, 1, 2]), whole.take([3, 4]))
    assert len(again) == 5
    if kind == "pixels":  # rows of the same array, which is not copied
        assert again.held is whole.held
        np.testing.assert_array_equal(again.pixels, whole.pixels)
        return
    for field in dataclasses.fields(whole):
        ours, theirs = getattr(again, field.name), getattr(whole, field.name)
        assert type(ours) is type(theirs)
        np.testing.assert_array_equal(ours, theirs)


def test_pixels_of_two_arrays_are_copied_into_one():
    whole, other = INPUTS["pixels"], ImageArray(INPUTS["pixels"].pixels[::-1].copy())
    again = joined_inputs(whole.take([4, 1]), other.take([0, 2]))
    wanted = np.concatenate([whole.pixels[[4, 1]], other.pixels[[0, 2]]])
    np.testing.assert_array_equal(again.pixels, wanted)


def test_joined_files_are_of_the_kinds_of_both():
    first, second = (
        dataclasses.replace(INPUTS["files"], kinds=frozenset({kind}))
        for kind in ("PNG", "JPEG")
    )
    assert joined_inputs(first, second).kinds == {"PNG", "JPEG"}


def test_joined_inputs_of_other_data_are_refused():
    other = dataclasses.replace(INPUTS["files"], maximum_megapixels=3.0)
    with pytest.raises(ValueError, match="different maximum_megapixels"):
        joined_inputs(INPUTS["files"], other)


def test_joined_splits_keep_order_and_facts():
    texts = INPUTS["texts"]
    names = Strings.of("abcde")
    whole = Split("all", texts, SOME, SOME // 2, "digest", names)
    first, second = whole.take([0, 1]), whole.take([2, 3, 4])
    both = joined(first, second, name="train")
    assert both.name == "train"
    assert both.labels.tolist() == SOME.tolist()
    assert both.groups.tolist() == (SOME // 2).tolist()
    assert list(both.names) == list("abcde")
    assert both.digest is None  # parts have none
    named = [
        dataclasses.replace(part, digest=d) for part, d in ((first, "x"), (second, "y"))
    ]
    assert len(joined(*named, name="train").digest) == 64
    assert joined(*named, name="a").digest != joined(*named[::-1], name="a").digest


def test_joined_weights_are_those_of_both():
    weights = np.float32([1, 2, 3, 0, 5])
    whole = Split("all", INPUTS["texts"], SOME, weights=weights)
    again = joined(whole.take([0, 1, 2]), whole.take([3, 4]), name="train")
    np.testing.assert_array_equal(again.weights, weights)
