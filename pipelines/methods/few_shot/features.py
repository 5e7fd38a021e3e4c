"""Features of examples for few-shot heads: averages over blocks of a frozen network."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

import zoo
from pipelines.config import RANDOM_WEIGHTS, RunConfig, checked
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.splits import Inputs, Split
from pipelines.errors import ConfigError
from pipelines.features.block_vectors import head_inputs_of, vectors_of
from pipelines.features.extract import Reader, in_precision
from pipelines.runtime.clock import Ticker
from pipelines.stages.base import freeze_base
from pipelines.stages.obtain import obtain, with_backbone
from pipelines.stages.outputs import fingerprint
from zoo.builder import Backbone

READS = ("last", "all")
_BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Source:
    """The settings of the features: the backbone, and the blocks that are averaged.

    `reads` is `last` or `all`. An `input_size_px` of 0 is the size of the backbone.
    """

    backbone: str = ""
    weights: str = "default"
    input_size_px: int = 0
    reads: str = "last"
    seed: int = 0

    def config(self) -> RunConfig:
        """The fields of a config that build the backbone.

        Raises:
            ConfigError: if one cannot be.
        """
        if self.reads not in READS:
            raise ConfigError(
                f"reads is {self.reads!r}; allowed: {', '.join(READS)}. Use 'all' to"
                " read the averages over all blocks side by side."
            )
        config = RunConfig(
            data="memory:",
            backbone=self.backbone,
            weights=self.weights,
            input_size_px=self.input_size_px,
            seed=self.seed,
        )
        return checked(config, writes=False)


class FeatureSource:
    """A frozen backbone, and the averages over its blocks that heads read.

    Raises:
        ConfigError: if the backbone takes other inputs, or is fitted to training data.
        zoo.errors.BackboneError: if it cannot be built.
    """

    def __init__(self, source: Source, inputs: Inputs) -> None:
        config = with_backbone(source.config(), inputs)
        if config.weights == RANDOM_WEIGHTS:
            keras.utils.set_random_seed(source.seed)
        elif zoo.get_spec(config.backbone).fitted:
            raise ConfigError(
                f"'{config.backbone}' is fitted to all training data, so that its"
                " features change with every class. Name a backbone with weights in"
                " `backbone`, or train with `zoo train`."
            )
        self.base: Backbone = freeze_base(obtain(config, inputs))
        choices = head_inputs_of(self.base)
        is_all = source.reads == "all" and len(choices) > 1
        self.blocks: tuple[str, ...] = choices[1 if is_all else 0].reads

    @functools.cached_property
    def outputs(self) -> dict[str, keras.KerasTensor]:
        """The average over each block that is read, by its name."""
        vectors = vectors_of(self.base)
        return {name: vectors[name, 1] for name in self.blocks}

    @functools.cached_property
    def _reader(self) -> Reader:
        return Reader(keras.Model(self.base.model.input, list(self.outputs.values())))

    @functools.cached_property
    def fingerprint(self) -> str:
        """A digest of the weights of the backbone."""
        return fingerprint(self.base)

    def read(self, inputs: Inputs) -> np.ndarray:
        """The features of examples in order, float16 `[n, width]`.

        As `zoo add-class` keeps them. float32 where a number is too large for float16.

        Raises:
            DataError: naming files that have changed since they were checked.
        """
        split = Split("train", inputs, np.zeros(len(inputs), np.int64))
        read = batches(
            split, input_size_px=self.base.input_size_px, batch_size=_BATCH_SIZE
        )
        tick = Ticker("features", len(inputs))
        with broken_files_named(split):
            parts: Sequence[Any] = self._reader.extract(read, on_progress=tick)
        whole = np.concatenate(parts, axis=1)
        return in_precision(whole, np.float16)
