"""Stage 3: add trainable layers to the base."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import keras
from keras import layers

from pipelines.planning.plan import HeadPlan
from pipelines.stages.pooling import pooling_layers
from zoo.builder import Backbone

# Standard deviation of logits weights that start at a small epsilon.
_EPSILON = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class TransferModel:
    """A classifier: the backbone, and the head on top of it.

    `model` takes raw input and gives float32 logits `[batch, classes]`. `head_input` is
    the tensor that the layers of the head read, and `pooled` the feature vector; they
    are the same unless the head pools with layers that train.
    """

    model: keras.Model
    backbone: Backbone
    head_input: keras.KerasTensor
    pooled: keras.KerasTensor
    head_layers: tuple[keras.layers.Layer, ...]

    @property
    def logits_layer(self) -> keras.layers.Dense:
        return self.head_layers[-1]


def add_head(base: Backbone, *, classes: int, plan: HeadPlan) -> TransferModel:
    """The base with pooling, dropout and new dense layers.

    Where the plan starts from a linear probe, the logits start at zeros until the
    features to probe are there.

    Raises:
        ConfigError: if the pooling of the plan does not go with the features.
    """
    features = base.model.output
    fixed, trained = pooling_layers(features, plan, modality=base.spec.modality)
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
    # A mask does not cross the boundary at which features are kept; so what makes it
    # is on the side of the layers that read it.
    head_input = features if trained else _applied(fixed, features)
    pooled = _applied([*fixed, *trained], features) if trained else head_input
    model = keras.Model(
        base.model.input,
        _applied(head, pooled),
        name=f"{base.spec.name}_classifier",
    )
    return TransferModel(model, base, head_input, pooled, (*trained, *head))


def _applied(
    stack: Sequence[keras.layers.Layer], x: keras.KerasTensor
) -> keras.KerasTensor:
    for layer in stack:
        x = layer(x)
    return x
