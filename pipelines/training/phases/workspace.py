"""The places and resources of training; its decisions are in the plan."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path

import keras
import numpy as np

from pipelines.data.input.pixel_cache import PixelCache
from pipelines.features.activation_cache import ActivationCache
from pipelines.features.extract import Activations
from pipelines.planning.plan import Phase
from pipelines.training.distributed.distribution import ONE_DEVICE, Distribution
from pipelines.training.progress import Progress

# The number of frozen blocks, the blocks that a head reads, and its grid.
Frozen = tuple[int, tuple[str, ...], int]


def _no_callbacks(phase: Phase) -> Sequence[keras.callbacks.Callback]:
    return ()


@dataclasses.dataclass(frozen=True, eq=False)
class Workspace:
    """The files that training writes, the values it may reuse, and its deadline.

    `deadline_seconds` is on the clock of `time.monotonic`. `head_features` are what the
    head reads of train and validation, if that was measured. Without a `pixel_cache`
    images are decoded whenever they are read, and without an `activation_cache` nothing
    is kept on disk. `callbacks` gives more callbacks for a phase. If the same backbone
    trains many times from the same weights, `known_activations` has what its frozen
    blocks gave last. With `profile` each phase times the parts of a step.

    `progress` is what was done before, and where progress is saved. Phases that train
    blocks run on the devices of `distribution`.
    """

    history_path: Path
    tensorboard_dir: Path
    deadline_seconds: float = math.inf
    head_features: tuple[np.ndarray, np.ndarray] | None = None
    pixel_cache: PixelCache | None = None
    activation_cache: ActivationCache | None = None
    known_activations: MutableMapping[Frozen, list[Activations]] | None = None
    callbacks: Callable[[Phase], Sequence[keras.callbacks.Callback]] = _no_callbacks
    progress: Progress = dataclasses.field(default_factory=Progress)
    distribution: Distribution = ONE_DEVICE
    profile: bool = False
