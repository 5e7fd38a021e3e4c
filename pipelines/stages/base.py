"""Stage 2: build the base, which is the backbone with every block frozen."""

from __future__ import annotations

import zoo
from pipelines.data.splits import Series, Sounds, Split, Table
from pipelines.training.freezing import set_trainable
from zoo.builder import UNFITTED, Backbone, standardize


def freeze_base(backbone: Backbone) -> Backbone:
    """The same backbone with nothing left to train.

    Its classifier was dropped when it was built: a backbone ends in a feature map.
    """
    set_trainable(backbone.blocks, (), batchnorm="frozen")
    return backbone


def fit_base(base: Backbone, train: Split, *, seed: int) -> Backbone:
    """The base with its weights fitted to the training split, if it is one to be.

    A base that was trained or fitted before, or is to be trained, stays as it is; but
    one for tables takes the scales of columns that are new to it. A run that goes on
    fits again, to the same weights.

    Raises:
        BackboneError: if the examples do not fit it.
    """
    if isinstance(train.inputs, Table):
        return standardize(base, train.inputs.values)
    if base.weights != UNFITTED or not isinstance(train.inputs, Series | Sounds):
        return base
    return zoo.fit(base, train.inputs.values, seed=seed)
