"""Vectors of every block, for images and for texts."""

import numpy as np
import pytest

import zoo
from pipelines.features.block_vectors import (
    PIXELS,
    THUMBNAIL_PX,
    head_inputs_of,
    parts_of,
    vectors_of,
)
from pipelines.planning.head_inputs import HeadInput


@pytest.fixture(scope="module")
def images():
    return zoo.build("tiny_image", weights=None, input_size_px=32)


def test_vectors_hold_blocks_grids_and_thumbnails(images):
    vectors = vectors_of(images)
    widths = {block.name: block.output.shape[-1] for block in images.blocks}
    assert {key for key in vectors if key[1] == 1} == {
        (name, 1) for name in [*widths, PIXELS]
    }
    for (name, grid), vector in vectors.items():
        width = 3 * THUMBNAIL_PX**2 if name == PIXELS else widths[name] * grid**2
        assert vector.shape == (None, width)


def test_every_head_input_has_its_vectors(images):
    inputs = head_inputs_of(images)
    assert {head_input.grid for head_input in inputs} == {1, 2}
    vectors = vectors_of(images)
    for head_input in inputs:
        assert len(parts_of(vectors, head_input)) == len(head_input.reads)


def test_texts_are_read_from_the_last_block():
    texts = zoo.build("tiny_text", weights=None)
    last = texts.blocks[-1].name
    assert head_inputs_of(texts) == (HeadInput((last,), grid=1),)
    assert list(vectors_of(texts)) == [(last, 1)]


def test_parts_follow_the_order_of_the_head():
    features = {("a", 1): np.zeros(1), ("b", 1): np.ones(1), ("a", 2): np.ones(4)}
    first, second = parts_of(features, HeadInput(("b", "a"), grid=1))
    assert (first.tolist(), second.tolist()) == ([1.0], [0.0])
