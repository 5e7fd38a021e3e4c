"""Stage 3: add trainable layers to the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
from keras import layers

from pipelines.features.cells import cells_of
from pipelines.features.new_blocks import new_blocks
from pipelines.features.pooling import (
    Standardize,
    pool_block,
    pool_map,
    pooling_layers,
)
from pipelines.planning.detectors import reads_series
from pipelines.planning.plan import HeadPlan
from pipelines.probing.cells import OF_CELLS
from pipelines.probing.probe import Probe
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone

# Standard deviation of logits weights that start at a small epsilon.
_EPSILON = 1e-3


def add_head(
    base: Backbone,
    *,
    classes: int,
    plan: HeadPlan,
    probe: Probe | None = None,
    output_layers: Sequence[keras.layers.Layer] = (),
) -> TransferModel:
    """The base with pooling, dropout and new dense layers.

    `classes` is the number of units of the dense layer that gives the logits, 0 without
    it, and `output_layers` come behind it. `probe` says how to standardize what the
    plan reads, and how the logits start. A detector of places reads these too.

    Raises:
        ConfigError: if the pooling of the plan does not go with the features.
    """
    if plan.conv_blocks:
        pooling = _pool_behind_new_blocks
    else:
        pooling = _pool_blocks if _reads_more(base, plan) else _pool_output
    head_input, pooled, trained, pooled_blocks = pooling(base, plan)
    start = (
        keras.initializers.RandomNormal(stddev=_EPSILON)
        if plan.init == "epsilon"
        else "zeros"
    )
    # float32 whatever the precision: logits are what losses and exports read.
    logits = layers.Dense(
        max(classes, 1), kernel_initializer=start, dtype="float32", name="logits"
    )
    standardize = [Standardize(name="standardize")] if plan.standardized else []
    head = [
        *standardize,
        # Named, because Keras' own names count what the process has built.
        *(
            layers.Dense(units, activation="relu", name=f"hidden_{i}")
            for i, units in enumerate(plan.hidden_units)
        ),
        layers.Dropout(plan.dropout, name="head_dropout"),
        *([logits] if classes else []),
        *output_layers,
    ]
    beside = _beside(base, plan)
    if beside is None:
        answered = _applied(head, pooled)
    else:
        *below, last = head
        answered = last([_applied(below, pooled), beside])
        head_input = [pooled, beside]
    model = keras.Model(
        base.model.input,
        answered,
        name=f"{base.spec.name}_classifier",
    )
    if standardize and probe:
        standardize[0].set_weights(
            [probe.standardization.mean, probe.standardization.scale]
        )
    if plan.init == "probe" and probe and classes:
        logits.set_weights([probe.kernel, probe.bias])
    return TransferModel(
        model, base, head_input, pooled, pooled_blocks, (*trained, *head), plan
    )


def _beside(base: Backbone, plan: HeadPlan) -> keras.KerasTensor | None:
    """The places that a detector reads beside the features, if it does."""
    if reads_series(plan.detector):
        return base.model.input
    return cells_of(base) if plan.detector in OF_CELLS else None


_Pooling = tuple[
    keras.KerasTensor | list[keras.KerasTensor],
    keras.KerasTensor,
    Sequence[keras.layers.Layer],
    Mapping[str, keras.KerasTensor],
]


def _reads_more(base: Backbone, plan: HeadPlan) -> bool:
    """True if the head reads more than the output of the backbone."""
    return plan.grid > 1 or plan.reads != (base.blocks[-1].name,)


def _pool_blocks(base: Backbone, plan: HeadPlan) -> _Pooling:
    """The averages over several blocks, or in a grid, side by side."""
    pooled_blocks = {
        block.name: pool_block(block, grid=plan.grid, name=f"pooled_{block.name}")
        for block in base.blocks
        if block.name in plan.reads
    }
    parts = list(pooled_blocks.values())
    join = layers.Concatenate if len(parts) > 1 else layers.Identity
    pooled = join(name="pooled")(parts if len(parts) > 1 else parts[0])
    return pooled, pooled, (), pooled_blocks


def _pool_behind_new_blocks(base: Backbone, plan: HeadPlan) -> _Pooling:
    """The averages over earlier blocks, and the last one behind new blocks."""
    *earlier, last = (block for block in base.blocks if block.name in plan.reads)
    blocks = new_blocks(
        last.output, count=plan.conv_blocks, modality=base.spec.modality
    )
    features = _applied(blocks, last.output)
    pooled_blocks = {
        block.name: pool_block(block, grid=plan.grid, name=f"pooled_{block.name}")
        for block in earlier
    }
    if not pooled_blocks and plan.grid == 1:
        fixed, trained = pooling_layers(features, plan, modality=base.spec.modality)
        pooled = _applied([*fixed, *trained], features)
        return last.output, pooled, (*blocks, *trained), {}
    parts = {
        **pooled_blocks,
        last.name: pool_map(features, grid=plan.grid, name=f"pooled_{last.name}"),
    }
    join = layers.Concatenate if len(parts) > 1 else layers.Identity
    together = list(parts.values())
    pooled = join(name="pooled")(together if len(parts) > 1 else together[0])
    head_input = [*pooled_blocks.values(), last.output]
    return (
        head_input if pooled_blocks else last.output,
        pooled,
        blocks,
        parts,
    )


def _pool_output(base: Backbone, plan: HeadPlan) -> _Pooling:
    """The pooling that the plan names, of the output of the backbone."""
    features = base.model.output
    fixed, trained = pooling_layers(features, plan, modality=base.spec.modality)
    # A mask does not cross the boundary at which features are kept; so what makes it
    # is on the side of the layers that read it.
    head_input = features if trained else _applied(fixed, features)
    pooled = _applied([*fixed, *trained], features) if trained else head_input
    return head_input, pooled, trained, {}


def _applied(
    stack: Sequence[keras.layers.Layer], x: keras.KerasTensor
) -> keras.KerasTensor:
    for layer in stack:
        x = layer(x)
    return x
