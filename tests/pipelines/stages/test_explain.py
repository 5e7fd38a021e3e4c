"""The feature map that an explanation is made of."""

import pytest

import zoo
from pipelines.errors import ConfigError
from pipelines.stages.explain import explained_map


def test_it_is_the_map_of_the_last_block():
    base = zoo.build("tiny_image", weights=None)
    assert explained_map(base) is base.blocks[-1].output


def test_map_of_a_cut_is_where_it_ends():
    base = zoo.build("tiny_image", weights=None)
    assert explained_map(base, base.blocks[1]) is base.blocks[1].output


def test_a_backbone_without_a_map_is_refused():
    with pytest.raises(ConfigError, match="where on an image .* of series"):
        explained_map(zoo.build("tiny_series", weights=None))
