"""Features at padding are exactly zero, and tell the next block where it is."""

import keras
import numpy as np

from zoo.graph.padding import blank_padding, is_token


def test_blank_padding_is_found_again():
    ids = keras.Input([4], dtype="int32")
    features = keras.layers.Embedding(5, 3)(ids)
    mask = keras.ops.not_equal(ids, 0)
    blanked = blank_padding(features, mask, name="blanked")
    model = keras.Model(ids, [features, blanked, is_token(blanked)])
    before, after, is_filled = map(np.asarray, model(np.array([[3, 1, 0, 0]])))
    np.testing.assert_array_equal(after[0, :2], before[0, :2])
    assert np.all(before[0, 2:] != 0)
    assert np.all(after[0, 2:] == 0)
    assert is_filled.tolist() == [[True, True, False, False]]
    assert model.get_layer("blanked").output.shape == (None, 4, 3)
