"""EfficientNet-Lite has the layers that its row and its weight file name."""

import keras
import pytest

from zoo.catalog.efficientnet_lite import SPECS
from zoo.sources.efficientnet_lite import network


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_network_has_the_blocks_of_its_row(spec):
    pixels = keras.Input((32, 32, 3))
    features = network(spec, pixels, None)
    assert features.shape == (None, 1, 1, spec.feature_width)
    model = keras.Model(pixels, features)
    assert model.count_params() == spec.parameters
    named = {layer.name for layer in model.layers}
    assert {b.layer for b in spec.blocks[:-1]} <= named
