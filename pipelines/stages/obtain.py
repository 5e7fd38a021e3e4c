"""Stage 1: obtain a pretrained model."""

from __future__ import annotations

import zoo
from pipelines.config import RANDOM_WEIGHTS, RunConfig
from zoo.builder import Backbone


def obtain(config: RunConfig) -> Backbone:
    """The backbone with its weights; random ones only where the config asks for them.

    Raises:
        zoo.errors.BackboneError: if it is unknown, its weights are missing or corrupt,
            or it cannot take images of this size.
    """
    random = config.weights == RANDOM_WEIGHTS or config.strategy == "scratch"
    return zoo.build(
        config.backbone,
        handle=config.handle or None,
        weights=None if random else config.weights,
        input_size_px=config.input_size_px or None,
    )
