"""A transfer model has the blocks that its head reads, and the layer of its logits."""

import zoo
from pipelines.planning.plan import HeadPlan
from pipelines.stages.head import add_head


def test_head_keys_and_logits_layer_follow_the_plan():
    plan = HeadPlan(
        reads=("block3", "block1"),
        grid=2,
        standardized=True,
        pooling="average",
        recurrent_units=8,
        hidden_units=(4,),
        dropout=0.0,
        init="epsilon",
    )
    model = add_head(zoo.build("tiny_image", weights=None), classes=3, plan=plan)
    # In the order of the blocks, whatever the order of the plan is.
    assert model.head_keys == (("block1", 2), ("block3", 2))
    assert list(model.pooled_blocks) == ["block1", "block3"]
    assert model.standardized
    assert model.logits_layer is model.head_layers[-1]
    assert model.logits_layer.units == 3
