"""Encoders that hide their layers in one: opened, so that each layer is a block."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

Operation = Any  # a layer or an op of a graph


def inner_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers inside those layers of a model that `opener` opens, in order."""
    return [layer for _, layers in _hidden(model) for layer in layers]


def opener(model: keras.Model) -> Callable[[Operation], Callable[..., Any]]:
    """What calls an operation in a graph that is built anew: itself, or its inside.

    A layer is opened that has no weights of its own, and a list of layers of one class.
    What it does around that list stays as it is. Where the layers inside cannot be
    called with symbols, or read more than one tensor each, it stays one layer.
    """
    hidden = {id(layer): inside for layer, inside in _hidden(model)}

    def opened(operation: Operation) -> Callable[..., Any]:
        inside = hidden.get(id(operation))
        if inside is None:
            return operation

        def call(*arguments: Any, **options: Any) -> Any:
            try:
                outputs = operation.call(*arguments, **options)
            except (TypeError, ValueError, AttributeError):
                # Such as a layer whose answers are not all tensors.
                return operation(*arguments, **options)
            # Positions that each layer reads have no batch, and cannot be kept for
            # every example where a network is parted between two layers.
            is_chain = all(_reads(layer) == 1 for layer in inside)
            return outputs if is_chain else operation(*arguments, **options)

        return call

    return opened


def _hidden(
    model: keras.Model,
) -> list[tuple[keras.layers.Layer, Sequence[keras.layers.Layer]]]:
    """The layers to open with what is inside, where all names are different.

    Names in a graph are unique, and layers inside of several may be called the same.
    """
    found = [
        (layer, inside)
        for layer in model.layers
        if layer.built and not _own_weights(layer)
        for inside in [max(_lists(layer), key=len, default=())]
        if inside
    ]
    names = collections.Counter(
        inner.name for _, inside in found for inner in inside
    ) + collections.Counter(layer.name for layer in model.layers)
    return [
        (layer, inside)
        for layer, inside in found
        if all(names[inner.name] == 1 for inner in inside)
    ]


def _reads(layer: keras.layers.Layer) -> int:
    """The number of tensors that a layer read where it was called last."""
    return len(layer._inbound_nodes[-1].input_tensors)


def _own_weights(layer: keras.layers.Layer) -> list[Any]:
    """The weights of a layer that none of its sublayers has."""
    inside = {
        id(weight)
        for inner in layer._flatten_layers(include_self=False)
        for weight in inner.weights
    }
    return [weight for weight in layer.weights if id(weight) not in inside]


def _lists(layer: keras.layers.Layer) -> Iterator[Sequence[keras.layers.Layer]]:
    """The lists of several layers of one class, all with weights."""
    for value in vars(layer).values():
        if (
            isinstance(value, (list, tuple))
            and len(value) > 1
            and all(isinstance(inner, keras.layers.Layer) for inner in value)
            and len({type(inner) for inner in value}) == 1
            and all(inner.weights for inner in value)
        ):
            yield value
