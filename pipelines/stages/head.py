"""Stage 3: add trainable layers to the base."""

from __future__ import annotations

import dataclasses

import keras
from keras import layers

from pipelines.planning.plan import HeadPlan
from zoo.builder import Backbone

# Standard deviation of logits weights that start at a small epsilon.
_EPSILON = 1e-3
_POOLING_LAYERS = {
    "average": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
    "flatten": layers.Flatten,
}


@dataclasses.dataclass(frozen=True, eq=False)
class TransferModel:
    """A classifier: the backbone, and the head on top of it.

    `model` takes raw pixels and gives float32 logits `[batch, classes]`; `pooled` is
    its tensor between backbone and head, the feature vector.
    """

    model: keras.Model
    backbone: Backbone
    pooled: keras.KerasTensor
    head_layers: tuple[keras.layers.Layer, ...]

    @property
    def logits_layer(self) -> keras.layers.Dense:
        return self.head_layers[-1]


def add_head(base: Backbone, *, classes: int, plan: HeadPlan) -> TransferModel:
    """The base with pooling, dropout and new dense layers.

    Where the plan starts from a linear probe, the logits start at zeros until the
    features to probe are there.
    """
    pooled = _POOLING_LAYERS[plan.pooling](name="pooled")(base.model.output)
    start = (
        keras.initializers.RandomNormal(stddev=_EPSILON)
        if plan.init == "epsilon"
        else "zeros"
    )
    # float32 whatever the precision: logits are what losses and exports read.
    logits = layers.Dense(
        classes, kernel_initializer=start, dtype="float32", name="logits"
    )
    head = [
        *(layers.Dense(units, activation="relu") for units in plan.hidden_units),
        layers.Dropout(plan.dropout, name="head_dropout"),
        logits,
    ]
    x = pooled
    for layer in head:
        x = layer(x)
    model = keras.Model(base.model.input, x, name=f"{base.spec.name}_classifier")
    return TransferModel(model, base, pooled, tuple(head))
