"""How a generator learns, as plain data."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class GeneratorSettings:
    """How a generator learns: the settings of the paper, and fewer filters.

    `noise` are the numbers that an image is drawn from, and `filters` those of the
    layer next to the image.
    """

    steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 2e-4
    momentum: float = 0.5
    noise: int = 64
    filters: int = 32
    seed: int = 0
