"""Series with other channels than a network was trained on: a layer that mixes them.

Each channel that the network reads begins as the mean of all channels that come, which
are brought to one scale before. So a network of one sensor gives features of many, and
the layer learns which of them matter.
"""

from __future__ import annotations

import keras

from zoo.graph.preprocessing import SeriesNormalization

LAYER = "channels"


def mixed(series: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Normalized series `[batch, steps, channels]` of normalized ones of any width."""
    mix = keras.layers.Conv1D(
        channels,
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(1.0 / series.shape[-1]),
        name=LAYER,
    )
    # A mean of channels that contradict each other is small.
    scaled = SeriesNormalization(autocast=False, name="mixed_normalization")
    return scaled(mix(series))


def channels_inside(model: keras.Model) -> int | None:
    """The channels that the network behind the layer reads; None without the layer."""
    if LAYER not in (layer.name for layer in model.layers):
        return None
    return model.get_layer(LAYER).filters


def transfer(source: keras.Model, target: keras.Model) -> None:
    """Gives a network the weights that it has in another one, but for the mix."""
    for layer in target.layers:
        if layer.weights and layer.name != LAYER:
            layer.set_weights(source.get_layer(layer.name).get_weights())
