"""The tiny networks have the parts of large ones."""

import keras
import numpy as np
import pytest

import zoo
from zoo.catalog.tiny import SPECS


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_network_has_dropout_and_a_skip(spec):
    model = zoo.build(spec.name, weights=None).model
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"Dropout", "Add"} <= kinds
    assert model.output.shape[-1] == spec.feature_width


def test_features_of_padding_are_zero():
    model = zoo.build("tiny_text", weights=None, input_length=6).model
    features = np.asarray(model(keras.ops.convert_to_tensor(["two words", ""])))
    assert (features[0, :2] != 0).any()
    assert (features[0, 2:] == 0).all()
    assert (features[1] == 0).all()
