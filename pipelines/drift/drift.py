"""A batch of examples beside what an artifact was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.drift.measures import Batch, Drifted, compare
from pipelines.errors import DataError
from pipelines.serving.training_data import reference as references
from pipelines.serving.training_data.prior import estimated_shares
from pipelines.suggestions import pool as pools

# Fewer say little, and a share of classes nothing.
_FEWEST = 20


@dataclasses.dataclass(frozen=True)
class Drift:
    """What has drifted in `examples` of a batch.

    `trained_shares` are the shares of classes of validation, `answered_shares` the ones
    of the answers, and `estimated_shares` the ones that the examples most likely have
    if each class looks as before. `invalid` counts examples that cannot be read.
    """

    examples: int
    invalid: int
    drifted: bool
    measures: tuple[Drifted, ...]
    trained_shares: Mapping[str, float]
    answered_shares: Mapping[str, float]
    estimated_shares: Mapping[str, float]

    def values(self) -> dict[str, Any]:
        """The result as plain values, ready for JSON."""
        return dataclasses.asdict(self)


def drift(place: Path, data: str) -> Drift:
    """Compares unlabelled examples of `data` with the training of an artifact.

    `place` is an artifact or a run folder.

    Raises:
        ArtifactError: if there is no artifact, or one without statistics.
        DataError: if fewer than 20 examples can be read.
    """
    opened = pools.opened(place)
    reference = references.load(opened.artifact.path)
    pool = pools.read(opened.artifact, pools.source_of(opened.artifact, data))
    if len(pool.items) < _FEWEST:
        raise DataError(
            f"{data} has {len(pool.items)} examples that can be read, and {_FEWEST} are"
            " the fewest that say anything of drift. Gather more of them."
        )
    predicted = pool.probabilities.argmax(axis=1)
    batch = Batch(
        np.array([answer["ood_score"] for answer in pool.answers]),
        np.array([answer["confidence"] for answer in pool.answers]),
        reference.projected(pool.features),
        predicted,
    )
    rows = tuple(compare(reference, batch))
    names = reference.class_names
    counts = np.bincount(predicted, minlength=len(names))
    estimated = estimated_shares(pool.probabilities, reference.labels)
    return Drift(
        examples=len(pool.items),
        invalid=len(pool.invalid),
        drifted=any(row.drifted for row in rows),
        measures=rows,
        trained_shares=_named(names, reference.labels / reference.labels.sum()),
        answered_shares=_named(names, counts / counts.sum()),
        estimated_shares=_named(names, estimated),
    )


def _named(names: tuple[str, ...], shares: np.ndarray) -> dict[str, float]:
    return {name: round(float(share), 6) for name, share in zip(names, shares)}
