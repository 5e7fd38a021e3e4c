"""The model that answers for an image and its mirror image together."""

from __future__ import annotations

import dataclasses

import keras
from keras import layers, ops

from pipelines.training.transfer_model import TransferModel

# Images are `[batch, height, width, channels]`.
WIDTH_AXIS = 2


def with_mirror(model: TransferModel) -> TransferModel:
    """The model whose head reads the average of the features of both views.

    All weights are shared with the model, so it is as large; it computes the network
    twice. It is not to be trained.
    """
    network, pooled = model.model, model.pooled
    features_of = keras.Model(network.input, pooled, name="mirrored_view")
    head = keras.Model(pooled, network.output, name="head_of_views")
    mirrored = features_of(ops.flip(network.input, axis=WIDTH_AXIS))
    average = layers.Average(name="views")([pooled, mirrored])
    whole = keras.Model(network.input, head(average), name=network.name)
    return dataclasses.replace(model, model=whole, pooled=average)
