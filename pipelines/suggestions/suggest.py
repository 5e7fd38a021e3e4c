"""The examples of a pool that are worth a label most, by an artifact."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.batch.source import Item
from pipelines.errors import ConfigError
from pipelines.runtime.clock import Ticker
from pipelines.suggestions import pool as pools
from pipelines.suggestions.select import choose

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """An example to label, the answer of now, and why it was chosen.

    `margin` is the probability of the answer minus the one of the second class: 0 is
    most uncertain. `ood_score` over 1 is unlike the training data.
    """

    order: int
    name: str
    predicted: str
    confidence: float
    margin: float
    ood_score: float


@dataclasses.dataclass(frozen=True, eq=False)
class Suggestions:
    """Suggestions in the order of choice, and what was looked at.

    `examples` is the size of the pool, `labelled` the number of examples that it was
    compared with, and `invalid` the names of files that cannot be read.
    """

    rows: tuple[Suggestion, ...]
    items: tuple[Item, ...]
    modality: str
    class_names: tuple[str, ...]
    artifact: str
    examples: int
    labelled: int
    invalid: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """The suggestions as plain values, ready for JSON."""
        return {
            "suggestions": [dataclasses.asdict(row) for row in self.rows],
            "examples": self.examples,
            "labelled": self.labelled,
            "invalid": list(self.invalid),
        }


def suggest(place: Path, data: str, *, count: int) -> Suggestions:
    """The `count` examples of `data` to label next, for a run or an artifact.

    `data` is a folder of files, with class folders or without, or a table.

    Raises:
        ConfigError: for a count below 1, or a run of another kind of problem.
        DataError: if the data have no example that can be read.
        ArtifactError: if there is no artifact, or not what was published.
    """
    if count < 1:
        raise ConfigError(f"n is {count}; ask for 1 example or more.")
    labelled = pools.opened(place)
    source = pools.source_of(labelled.artifact, data)
    pool = pools.read(labelled.artifact, source)
    known = labelled.features
    if known.shape[1] != pool.features.shape[1]:
        _logger.info(
            "  %s kept no features of its own examples, so the ones to label are only"
            " unlike each other",
            place,
        )
        known = np.zeros((0, pool.features.shape[1]), np.float32)
    most = min(count, len(pool.items))
    chosen = choose(
        pool.features,
        pool.probabilities,
        known,
        count=count,
        on_progress=Ticker("chosen", most),
    )
    rows = tuple(
        _row(order, pool, row, float(chosen.margins[row]))
        for order, row in enumerate(chosen.rows.tolist(), start=1)
    )
    return Suggestions(
        rows=rows,
        items=tuple(pool.items[row] for row in chosen.rows.tolist()),
        modality=source.modality,
        class_names=labelled.artifact.manifest.class_names,
        artifact=labelled.artifact.manifest.digest,
        examples=len(pool.items),
        labelled=len(known),
        invalid=tuple(pool.invalid),
    )


def _row(order: int, pool: pools.Pool, row: int, margin: float) -> Suggestion:
    answer = pool.answers[row]
    return Suggestion(
        order=order,
        name=pools.name_of(pool.items[row]),
        predicted=answer["label"],
        confidence=round(float(answer["confidence"]), 6),
        margin=round(margin, 6),
        ood_score=round(float(answer["ood_score"]), 6),
    )
