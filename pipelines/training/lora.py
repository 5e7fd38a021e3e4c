"""Low-rank adaptation: large kernels stay frozen, and small factors train beside them.

In https://arxiv.org/abs/2106.09685 the change of a kernel is the product of two thin
factors, which Keras adds to a layer by `enable_lora`. At the end of a phase the product
is added to the kernel and the factors are removed: validation, export and the run
folder see the weights of the plain network.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Collection, Iterator, Sequence

import keras
import numpy as np

from zoo.graph.blocks import Block, layers_inside

_KINDS = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Embedding)


def adaptable_layers(block: Block) -> list[keras.layers.Layer]:
    """The dense and embedding layers of a block, also inside of attention.

    A layer with a constraint on its kernel is left out: Keras refuses it.
    """
    return [
        inner
        for layer in block.layers
        for inner in layers_inside(layer)
        if isinstance(inner, _KINDS) and not _constraint(inner)
    ]


def attach(
    blocks: Sequence[Block], trainable: Collection[str], *, rank: int, seed: int
) -> None:
    """Gives the layers of the named blocks factors to train, and freezes the rest.

    The factors change nothing yet: one of them is zero. Takes effect when the model is
    compiled next, with a new optimizer.
    """
    for block in blocks:
        if block.name not in trainable:
            continue
        factors: set[int] = set()
        for number, layer in enumerate(adaptable_layers(block)):
            start = keras.initializers.HeUniform(seed=seed + number)
            layer.enable_lora(rank, a_initializer=start)
            factors.update(id(factor) for _, factor in _factors(layer))
        for variable in block.variables:
            variable.trainable = id(variable) in factors


def merge(blocks: Sequence[Block]) -> None:
    """Adds the products of all factors to their kernels, and removes the factors."""
    layers = [
        layer
        for block in blocks
        for layer in adaptable_layers(block)
        if layer.lora_enabled
    ]
    if not layers:
        return
    with _one_collection():
        for layer in layers:
            _merge(layer)


def _merge(layer: keras.layers.Layer) -> None:
    kernel, merged = _kernel(layer)
    kernel.assign(merged)
    layer.lora_enabled = False
    # Otherwise a copy of the layer, made from its config, has factors again.
    layer.lora_rank = layer.lora_alpha = None
    for name, factor in _factors(layer):
        # Graphs traced with factors then compute the same as without.
        factor.assign(keras.ops.zeros_like(factor))
        delattr(layer, name)


@contextlib.contextmanager
def _one_collection() -> Iterator[None]:
    """Collects garbage at the end, and all that is there not once for every variable.

    Keras does so as it removes a variable, which takes a third of a second each.
    """
    if gc.get_freeze_count():  # the program has frozen what it needs
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()


def plain_weights(
    layers: Sequence[keras.layers.Layer],
) -> list[tuple[keras.Variable, np.ndarray]]:
    """The weights, each with its value if all factors were merged now.

    In the order of the layers and without the factors, so that they compare with the
    weights before. States of random generators are left out.
    """
    merged: dict[int, keras.KerasTensor] = {}
    factors: set[int] = set()
    for layer in layers:
        for inner in layers_inside(layer):
            if isinstance(inner, _KINDS) and inner.lora_enabled:
                kernel, value = _kernel(inner)
                merged[id(kernel)] = value
                factors.update(id(factor) for _, factor in _factors(inner))
    return [
        (v, keras.ops.convert_to_numpy(merged.get(id(v), v)))
        for layer in layers
        for v in layer.weights
        if id(v) not in factors
    ]


def _kernel(layer: keras.layers.Layer) -> tuple[keras.Variable, keras.KerasTensor]:
    """The variable, and its value together with the product of the factors."""
    if isinstance(layer, keras.layers.Embedding):
        return layer._embeddings, layer.embeddings
    return layer._kernel, layer.kernel


def _factors(layer: keras.layers.Layer) -> list[tuple[str, keras.Variable]]:
    kind = "embeddings" if isinstance(layer, keras.layers.Embedding) else "kernel"
    names = (f"lora_{kind}_a", f"lora_{kind}_b")
    return [(name, getattr(layer, name)) for name in names]


def _constraint(layer: keras.layers.Layer) -> object:
    if isinstance(layer, keras.layers.Embedding):
        return layer.embeddings_constraint
    return layer.kernel_constraint
