"""Which views of the training images a head is fitted to, and batches of them."""

from __future__ import annotations

import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.data.augment import Augmentation
from pipelines.data.batches import batches, view_batches
from pipelines.data.splits import Split

# Of so few images two crops more are worth their passes: with EfficientNet-Lite0 at
# 96 px a probe on them is right on 2.2 points more of the digits with 2 images per
# class, on 1.3 with 5 and on 0.3 with 20; of emoji on 1.0 with 5, and else on as many.
_FEW = 1000
_VIEWS_OF_FEW = 3


def count_views(config: RunConfig, train: Split) -> int:
    """How many views there are of each training image, with the image as it is."""
    augment = config.augment
    changes = augment.strength != "none" and (augment.crop < 1 or _flip(config))
    # Other ways of pooling train on maps, which are read when that phase begins.
    if train.inputs.modality != "image" or config.head.pooling != "average":
        return 1
    if not changes:
        return 1
    return config.head.views or (_VIEWS_OF_FEW if len(train) <= _FEW else 1)


def in_views(
    split: Split, config: RunConfig, *, views: int, input_size_px: int | None
) -> tf.data.Dataset:
    """Every example as it is, then each again as every other view; see `batches`."""
    size_px, batch_size = input_size_px, config.batch_size
    read = batches(split, input_size_px=size_px, batch_size=batch_size)
    how = Augmentation(flip=_flip(config) or "none", crop=config.augment.crop)
    for view in range(1, views):
        other = view_batches(
            split,
            how,
            view=view,
            input_size_px=size_px,
            batch_size=batch_size,
            seed=config.seed,
        )
        read = read.concatenate(other)
    return read


def _flip(config: RunConfig) -> str:
    """Nothing unless asked for: a mirrored digit is none, and emoji gain nothing."""
    flip = config.augment.flip
    return flip if flip in ("horizontal", "both") else ""
