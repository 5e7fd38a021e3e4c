"""The model in memory answers the same in a graph, without one, and by batches."""

import keras
import numpy as np
import pytest

from pipelines.stages.proof.asking import asking, is_coarse


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    takes = keras.Input((3,))
    features = keras.layers.Dense(4, activation="relu")(takes)
    return keras.Model(takes, [keras.layers.Dense(2)(features), features])


@pytest.mark.parametrize("in_graph", [True, False])
def test_asking_gives_logits_and_features(network, in_graph):
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    ask = asking(network, None, rows, explain=False, in_graph=in_graph)
    expected = network.predict(rows, verbose=0)
    for some in (slice(None), slice(0, 1), slice(0, 3)):
        answered = ask(rows[some])
        np.testing.assert_allclose(answered.logits, expected[0][some], atol=1e-6)
        np.testing.assert_allclose(answered.features, expected[1][some], atol=1e-6)
        assert answered.heat is None


def test_networks_of_16_bits_are_coarse(network):
    assert not is_coarse(network)
    takes = keras.Input((3,))
    short = keras.layers.Dense(2, dtype="mixed_bfloat16")(takes)
    assert is_coarse(keras.Model(takes, short))
