"""Views of the training images that a head is fitted to: their number and batches."""

from __future__ import annotations

import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.data.input.augment import Augmentation
from pipelines.data.input.batches import view_batches
from pipelines.data.splits import Split

# Up to this number of images two more crops are worth their passes. With
# EfficientNet-Lite0 at 96 px they raise the accuracy of a probe on digits by 2.2 points
# with 2 images per class, by 1.3 with 5 and by 0.3 with 20; on emoji by 1.0 with 5, and
# else not at all.
_FEW = 1000
_VIEWS_OF_FEW = 3
# Crops are not worth it if a probe on whole images reaches this accuracy with this
# number of images per class. They then change the accuracy on digits at 96 px by -.0003
# (15 per class: +.005). On letters, with an accuracy of .3 to .5, they add 2 to 3
# points.
_SURE = 0.95
_MANY_PER_CLASS = 20


def count_views(config: RunConfig, train: Split) -> int:
    """The number of views of each training image, the whole image included."""
    augment = config.augment
    changes = augment.strength != "none" and (augment.crop < 1 or _flip(config))
    # Other kinds of pooling train on maps, which are read when that phase begins.
    if train.inputs.modality != "image" or config.head.pooling != "average":
        return 1
    if not changes:
        return 1
    return config.head.views or (_VIEWS_OF_FEW if len(train) <= _FEW else 1)


def are_worth_it(config: RunConfig, *, left_out: float, per_class: float) -> bool:
    """True if crops are read besides whole images.

    `left_out` is the accuracy of a probe on whole images, left out of its fit.
    """
    is_sure = left_out >= _SURE and per_class >= _MANY_PER_CLASS
    return config.head.views > 0 or not is_sure


def other_views(
    split: Split, config: RunConfig, *, views: int, input_size_px: int | None
) -> tf.data.Dataset:
    """Batches of every view but the first, view after view; see `batches`."""
    augmentation = Augmentation(flip=_flip(config) or "none", crop=config.augment.crop)
    read, *others = (
        view_batches(
            split,
            augmentation,
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
    """The flip, only if the config asks for it: mirrored digits are not digits."""
    flip = config.augment.flip
    return flip if flip in ("horizontal", "both") else ""
