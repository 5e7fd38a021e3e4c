"""A new head on a backbone: its layers, and the logits it starts with."""

import dataclasses

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
