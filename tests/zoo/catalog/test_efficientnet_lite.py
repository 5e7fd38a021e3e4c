"""Rows of EfficientNet-Lite follow the depths of their variants."""

import pytest

from zoo.catalog.efficientnet_lite import SPECS, VARIANTS, block_depths


@pytest.mark.parametrize(
    ("multiplier", "depths"),
    [
        (1.0, [1, 2, 2, 3, 3, 4, 1]),
        (1.1, [1, 3, 3, 4, 4, 5, 1]),
        (1.2, [1, 3, 3, 4, 4, 5, 1]),
    ],
)
def test_block_depths_keep_first_and_last(multiplier, depths):
    assert block_depths(multiplier) == depths


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_rows_have_a_block_for_each_unit(spec):
    depths = block_depths(VARIANTS[spec.handle].depth)
    assert len(spec.blocks) == sum(depths) + 2
    assert spec.weights.sha256.startswith(spec.weights.file_name[-12:-4])
