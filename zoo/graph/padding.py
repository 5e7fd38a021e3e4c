"""Padding in sequences of features: positions where every feature is exactly zero.

Every block ends in features that are zero at padding, and the next one reads the mask
from them: so one tensor is all that crosses from block to block.
"""

from __future__ import annotations

import keras
from keras import layers, ops


def is_token(x: keras.KerasTensor) -> keras.KerasTensor:
    """The mask `[batch, tokens]` of features, true where a position is not padding."""
    return ops.any(ops.not_equal(x, 0), axis=-1)


def blank_padding(
    x: keras.KerasTensor, mask: keras.KerasTensor, *, name: str
) -> keras.KerasTensor:
    """Sets features to exactly zero where the mask is false."""
    kept = ops.cast(mask, x.dtype)[:, :, None]
    return layers.Multiply(name=name)([x, kept])
