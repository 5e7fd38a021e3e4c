"""What two threads may compute at once is told from the graph."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.features import engines
from pipelines.runtime.reentrancy import is_reentrant
from tests.support import residuals
from tests.support.optimized import adds_within_convolutions, called
from zoo.graph.folding import folded, folded_copy

MAPS = np.random.default_rng(0).normal(size=(4, 6, 6, 4)).astype("float32")


def graph_of(function):
    return function.get_concrete_function().graph.as_graph_def()


@pytest.mark.parametrize("block", [residuals.with_bias, residuals.by_operator])
def test_addition_after_convolution_with_bias_is_detected(block):
    function = called(residuals.network(block))
    assert not is_reentrant(graph_of(function))
    assert engines.batches_at_once(function) == 1
    joined = adds_within_convolutions(function, MAPS)
    if not joined:
        pytest.skip("this TensorFlow joins none, so nothing shows what it would do")
    assert joined == 3


@pytest.mark.parametrize("block", residuals.BLOCKS)
@pytest.mark.parametrize("rewired", [folded, folded_copy])
def test_folded_network_may_be_computed_twice_at_once(block, rewired):
    function = called(rewired(residuals.network(block)))
    assert adds_within_convolutions(function, MAPS) == 0
    assert is_reentrant(graph_of(function))


def test_it_looks_into_what_a_graph_calls(tmp_path):
    for name, block in (("biased", residuals.with_bias), ("norm", residuals.with_norm)):
        residuals.network(block).export(str(tmp_path / name), verbose=False)
        loaded = tf.saved_model.load(str(tmp_path / name)).signatures["serving_default"]
        assert is_reentrant(loaded.graph.as_graph_def()) == (name == "norm")


def test_other_sums_are_no_matter():
    inputs = keras.Input((6, 6, 4))
    dense = keras.layers.Dense(4)(inputs)
    network = keras.Model(inputs, keras.layers.Add()([dense, inputs]))
    assert is_reentrant(graph_of(called(network)))
    assert folded(network) is network
