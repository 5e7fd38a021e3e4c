"""From a reference to clusters of its examples, by features of a frozen backbone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from pipelines.data.domains.unlabelled import read_unlabelled
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Examples, Inputs
from pipelines.errors import ConfigError, DataError
from pipelines.methods.clusters.choice import (
    FEWEST,
    Candidate,
    best,
    candidates_of,
    k_means,
)
from pipelines.methods.few_shot.features import FeatureSource, Source
from pipelines.probing.directions import main_directions
from pipelines.runtime.blas import one_thread
from pipelines.runtime.clock import Clock

_FEWEST_TO_CHOOSE = 20
_NO_CLASS = "examples"
_DIGITS = 9


@dataclasses.dataclass(frozen=True, eq=False)
class Clusters:
    """The cluster of each example, `0..k-1`, the largest first.

    `distances` `[n, k]` are to each centre, in features of length 1. `candidates` are
    the numbers of clusters that were compared, none where `k` was given. Where examples
    have labels of several classes, `labels` are their names, and `agreement` is the
    normalized mutual information of clusters and labels, from 0 to 1.
    """

    inputs: Inputs
    names: Sequence[str]
    assigned: np.ndarray
    distances: np.ndarray
    candidates: tuple[Candidate, ...]
    skipped: int
    backbone: str
    blocks: tuple[str, ...]
    labels: Sequence[str] | None
    agreement: float | None
    seconds: dict[str, float]

    @property
    def sizes(self) -> list[int]:
        """The number of examples in each cluster."""
        count = self.distances.shape[1]
        return np.bincount(self.assigned, minlength=count).tolist()

    def values(self) -> dict[str, Any]:
        """The facts as plain values, ready for JSON."""
        return {
            "k": len(self.sizes),
            "sizes": self.sizes,
            "examples": len(self.assigned),
            "skipped": self.skipped,
            "backbone": self.backbone,
            "blocks": list(self.blocks),
            "candidates": [dataclasses.asdict(each) for each in self.candidates],
            "agreement": self.agreement,
            "seconds": self.seconds,
        }


def cluster(data: str, *, source: Source | None = None, k: int = 0) -> Clusters:
    """Groups the examples of a reference into `k` clusters; 0 chooses the number.

    A reference may be a folder of images without folders in it. Labels choose nothing:
    clusters are compared with them, and that is all. K-means on the first 64 principal
    directions of features that are standardized and of length 1.

    Raises:
        ConfigError: if `k` is 1 or negative, or the backbone cannot be built.
        DataError: if some examples cannot be used, or fewer differ than are needed.
    """
    if k < 0 or k == 1:
        raise ConfigError(
            f"k is {k}. Pass 2 or more clusters, or 0 to have the number chosen."
        )
    source, clock = source or Source(reads="all"), Clock()
    with clock.stage("data", data):
        examples, _ = read_unlabelled(DatasetRef.parse(data), class_name=_NO_CLASS)
        _require(len(examples), k, data, "examples")
    with clock.stage("features", source.backbone or "the default backbone"):
        features = FeatureSource(source, examples.inputs)
        read = features.read(examples.inputs)
        reduced = main_directions(read, seed=source.seed)
        alike = len(np.unique(reduced.round(5), axis=0))
        _require(alike, k, data, "examples with different features")
    with clock.stage("cluster", f"{len(reduced)} examples"), one_thread():
        candidates = () if k else candidates_of(reduced, seed=source.seed)
        fitted = k_means(reduced, k or best(candidates), seed=source.seed)
        by_size = np.argsort(-np.bincount(fitted.labels_), kind="stable")
        distances = fitted.transform(reduced)[:, by_size]
    assigned = np.argsort(by_size)[fitted.labels_]
    return Clusters(
        inputs=examples.inputs,
        names=examples.names,
        assigned=assigned,
        distances=distances,
        candidates=candidates,
        skipped=len(examples.skipped),
        backbone=features.base.spec.name,
        blocks=features.blocks,
        seconds=dict(clock.seconds),
        **_beside_labels(examples, assigned),
    )


def _beside_labels(examples: Examples, assigned: np.ndarray) -> dict[str, Any]:
    if examples.labels.ndim != 1 or len(examples.class_names) < 2:
        return {"labels": None, "agreement": None}
    labels = [examples.class_names[int(label)] for label in examples.labels]
    agreement = normalized_mutual_info_score(examples.labels, assigned)
    return {"labels": labels, "agreement": round(float(agreement), _DIGITS)}


def _require(count: int, k: int, data: str, what: str) -> None:
    fewest = k or _FEWEST_TO_CHOOSE
    if count < fewest:
        words = f"{k} clusters" if k else "a choice of their number"
        raise DataError(
            f"{data} has {count} {what}, and {words} need {fewest} at least. Name more"
            f" data{'' if k else f', or pass k={FEWEST} or more'}."
        )
