"""The last blocks on kept inputs answer as the whole network, and alone train."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import ConfigError
from pipelines.methods.episodic.tail import Tail
from pipelines.methods.few_shot.features import FeatureSource


def test_embeddings_are_those_of_the_network(digits, source):
    network = FeatureSource(source, digits.inputs)
    whole = network.read(digits.inputs)
    tail = Tail(network.base, digits.inputs, blocks=2)
    np.testing.assert_allclose(tail.embeddings(), whole, atol=2e-3)
    assert tail.trained == tuple(block.name for block in network.base.blocks[-2:])
    own = {id(v) for block in network.base.blocks[-2:] for v in block.variables}
    assert {id(variable) for variable in tail.variables} <= own
    rows = tf.constant([3, 5], tf.int64)
    np.testing.assert_allclose(
        tail.embed(tail.inputs(rows)), tail.embeddings()[[3, 5]], atol=1e-5
    )


@pytest.mark.parametrize("blocks", [0, 4, 99])
def test_blocks_that_leave_none_frozen_are_refused(digits, source, blocks):
    base = FeatureSource(source, digits.inputs).base
    assert len(base.blocks) == 4
    with pytest.raises(ConfigError, match=f"blocks is {blocks}.*from 1 to 3"):
        Tail(base, digits.inputs, blocks=blocks)
