"""Networks for series give a feature for every step."""

import keras
import pytest

import zoo
from zoo.catalog.series import SPECS
from zoo.sources.series import network

TRAINED = [spec for spec in SPECS if not spec.fitted]


@pytest.mark.parametrize("spec", TRAINED, ids=lambda spec: spec.name)
def test_network_gives_features_of_each_step(spec):
    series = keras.Input((20, 2))
    features = network(spec, series, None)
    assert features.shape == (None, 20, spec.feature_width)
    named = {layer.name for layer in keras.Model(series, features).layers}
    assert {b.layer for b in spec.blocks[:-1]} <= named


def test_weights_fit_any_number_of_steps():
    short, long = (
        zoo.build("series_gru", weights=None, input_length=steps) for steps in (8, 32)
    )
    shapes = [[w.shape for w in b.model.weights] for b in (short, long)]
    assert shapes[0] == shapes[1]
