"""The feature map that shows where the network looked."""

from __future__ import annotations

import keras

from pipelines.errors import ConfigError
from zoo.builder import Backbone
from zoo.graph.blocks import Block


def explained_map(base: Backbone, last: Block | None = None) -> keras.KerasTensor:
    """The output of the last block, `[batch, height, width, channels]`.

    `last` is the last block of a network that is cut. The head may read averages over
    earlier blocks too. Those have finer maps of edges and colours; the last one is
    where a network knows what a thing is.

    Raises:
        ConfigError: if the last block gives no map.
    """
    last = last or base.blocks[-1]
    shape = tuple(last.output.shape)
    if base.spec.modality != "image" or len(shape) != 4:
        raise ConfigError(
            "config.export.explain shows where on an image the network looked, which"
            f" needs a last block with a feature map; '{last.name}' of"
            f" {base.spec.name} gives {shape} of {base.spec.modality}. Leave it out, or"
            " take another backbone."
        )
    return last.output
