"""Which views of the training images a head is fitted to, and batches of them."""

from __future__ import annotations

import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import view_batches
from pipelines.data.splits import Split

# Of so few images two crops more are worth their passes: with EfficientNet-Lite0 at
# 96 px a probe on them is right on 2.2 points more of the digits with 2 images per
# class, on 1.3 with 5 and on 0.3 with 20; of emoji on 1.0 with 5, and else on as many.
_FEW = 1000
_VIEWS_OF_FEW = 3
# But not of what a probe on the images as they are is so often right about, with so
# many per class: of digits at 96 px crops then change accuracy by -.0003 (15 per class:
# +.005), and of letters, of which it is right on .3 to .5, they add 2 to 3 points.
_SURE = 0.95
_MANY_PER_CLASS = 20


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


def are_worth_it(config: RunConfig, *, left_out: float, per_class: float) -> bool:
    """Whether other views are read besides images as they are.

    `left_out` is how often a probe on those is right about images left out of its fit.
    """
    is_sure = left_out >= _SURE and per_class >= _MANY_PER_CLASS
    return config.head.views > 0 or not is_sure


def other_views(
    split: Split, config: RunConfig, *, views: int, input_size_px: int | None
) -> tf.data.Dataset:
    """Each example as every view but the first one, view after view; see `batches`."""
    how = Augmentation(flip=_flip(config) or "none", crop=config.augment.crop)
    read, *others = (
        view_batches(
            split,
            how,
            view=view,
            input_size_px=input_size_px,
            batch_size=config.batch_size,
            seed=config.seed,
        )
        for view in range(1, views)
    )
    for other in others:
        read = read.concatenate(other)
    return read


def _flip(config: RunConfig) -> str:
    """Nothing unless asked for: a mirrored digit is none, and emoji gain nothing."""
    flip = config.augment.flip
    return flip if flip in ("horizontal", "both") else ""
