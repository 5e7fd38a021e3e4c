"""A new head on a backbone: its layers, and the logits it starts with."""

import dataclasses

import keras
import numpy as np
import pytest

import zoo
from pipelines.planning.plan import HeadPlan
from pipelines.stages.head import add_head


def _head(**changes):
    plan = HeadPlan(
        reads=("block3",),
        grid=1,
        standardized=False,
        pooling="average",
        recurrent_units=8,
        hidden_units=(),
        dropout=0.0,
        init="epsilon",
    )
    return dataclasses.replace(plan, **changes)


@pytest.mark.parametrize("pooling", ["average", "max", "flatten"])
@pytest.mark.parametrize("hidden_units", [(), (8,), (8, 4)])
def test_heads_give_float32_logits(pooling, hidden_units):
    plan = _head(pooling=pooling, hidden_units=hidden_units, dropout=0.1)
    model = add_head(zoo.build("tiny_image", weights=None), classes=3, plan=plan)
    logits = model.model(np.zeros((2, 32, 32, 3), "uint8"))
    assert logits.shape == (2, 3)
    assert logits.dtype == "float32"
    assert len(model.head_layers) == len(hidden_units) + 2


@pytest.mark.parametrize(("init", "largest"), [("zeros", 0.0), ("epsilon", 0.01)])
def test_logits_start_as_the_plan_says(init, largest):
    plan = _head(init=init)
    model = add_head(zoo.build("tiny_image", weights=None), classes=5, plan=plan)
    kernel = np.abs(model.logits_layer.kernel.numpy())
    assert kernel.max() <= largest
    assert (kernel.max() > 0) == (init == "epsilon")


@pytest.mark.parametrize("grid", [1, 2])
@pytest.mark.parametrize("reads", [("block2",), ("stem", "block1", "block2")])
def test_new_blocks_start_where_plain_head_does(grid, reads):
    base = zoo.build("tiny_image", weights=None)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    plain, new = (
        add_head(
            base,
            classes=3,
            plan=_head(reads=reads, grid=grid, conv_blocks=count, init="zeros"),
        )
        for count in (0, 1)
    )
    vectors = [keras.Model(one.model.input, one.pooled)(pixels) for one in (plain, new)]
    np.testing.assert_array_equal(*vectors)
    assert new.last_block.name == "block2"
    assert [layer.name for layer in new.head_layers][0] == "new_block_0"
    # The network ends there: no later block is part of the model.
    assert "block3_conv" not in [layer.name for layer in new.model.layers]
    assert list(new.pooled_blocks) == ([] if (len(reads), grid) == (1, 1) else [*reads])
