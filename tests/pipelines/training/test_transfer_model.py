"""A classifier: what its head reads, in the order of the blocks."""

import pytest

import zoo
from pipelines.planning.plan import HeadPlan
from pipelines.stages.head import add_head


@pytest.fixture
def model():
    plan = HeadPlan(
        reads=("block3", "stem"),
        grid=2,
        standardized=True,
        pooling="average",
        recurrent_units=1,
        hidden_units=(5,),
        dropout=0.0,
        init="zeros",
    )
    base = zoo.build("tiny_image", weights=None, input_size_px=16)
    return add_head(base, classes=3, plan=plan)


def test_what_the_head_reads_comes_in_the_order_of_the_blocks(model):
    assert model.head_keys == (("stem", 2), ("block3", 2))
    assert model.standardized
    assert model.head_input is model.pooled


def test_the_last_layer_gives_the_logits(model):
    assert model.logits_layer is model.head_layers[-1]
    assert model.logits_layer.units == 3
    assert model.model.output_shape == (None, 3)
