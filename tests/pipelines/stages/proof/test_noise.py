"""Noise is what computing in another way makes, and leaves the model as it was."""

import keras
import numpy as np

from pipelines.stages.proof.noise import weights_one_step_off


def test_every_weight_moves_and_moves_back():
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    network.add(keras.layers.BatchNormalization())
    before = [np.array(weight) for weight in network.variables]
    assert len(before) == 6
    with weights_one_step_off(network):
        for weight, was in zip(network.variables, before):
            assert (np.array(weight) != was).all()
            np.testing.assert_allclose(np.array(weight), was, rtol=2e-7, atol=1e-44)
    for weight, was in zip(network.variables, before):
        np.testing.assert_array_equal(np.array(weight), was)
