"""Stage 2: build the base, which is the backbone with every block frozen."""

from __future__ import annotations

from pipelines.training.freezing import set_trainable
from zoo.builder import Backbone


def freeze_base(backbone: Backbone) -> Backbone:
    """The same backbone with nothing left to train.

    Its classifier was dropped when it was built: a backbone ends in a feature map.
    """
    set_trainable(backbone.blocks, (), batchnorm="frozen")
    return backbone
