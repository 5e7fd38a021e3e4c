"""A pool without labels, as an artifact sees it: answers and features."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.batch.rows import FEATURES, PREDICTIONS, predicted
from pipelines.batch.source import Item, Source, parse
from pipelines.comparison.finished import is_compared, read_report
from pipelines.errors import ConfigError, DataError
from pipelines.features import kept_features
from pipelines.runtime.clock import Ticker
from pipelines.serving.artifact import Artifact, open_verified


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """An artifact, and the features of the examples that its run had labels of.

    They are `[labelled, width]`, and none where the run kept none.
    """

    artifact: Artifact
    features: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """The readable examples of a source, with answers and features `[n, width]`.

    `invalid` are the names of files that cannot be read.
    """

    items: list[Item]
    answers: Sequence[Mapping[str, Any]]
    probabilities: np.ndarray
    features: np.ndarray
    invalid: list[str]


def opened(place: Path) -> Labelled:
    """The artifact of a run folder, or of its own folder.

    Raises:
        ConfigError: if the run published nothing, or answers another kind of problem.
        ArtifactError: if there is no artifact, or not what was published.
    """
    report: Mapping[str, Any] = {}
    folder = place
    if (place / "report.json").is_file():
        report = read_report(place)
        if not report.get("artifact"):
            raise ConfigError(
                f"{place} has no artifact to ask: its model did not pass the quality"
                " gate. Name another run."
            )
        folder = place / "artifact" / Path(report["artifact"]).name
    artifact = open_verified(folder)
    manifest = artifact.manifest
    if not is_compared(manifest.problem):
        raise ConfigError(
            f"{place} answers a problem of the kind {manifest.problem}, and examples"
            " are suggested by the probabilities of classes. Name a run whose examples"
            " have one class each."
        )
    return Labelled(artifact, _known(place, manifest.class_names))


def _known(place: Path, class_names: tuple[str, ...]) -> np.ndarray:
    path = place / "checkpoints" / kept_features.FILE_NAME
    if not path.is_file():
        return np.zeros((0, 0), np.float32)
    kept = kept_features.load(path)
    if kept.class_names != class_names:
        return np.zeros((0, 0), np.float32)
    every = [split.first_view() for split in kept.splits.values()]
    return np.concatenate(every).astype(np.float32)


def source_of(artifact: Artifact, reference: str) -> Source:
    """The examples of a reference, which need no labels.

    Raises:
        DataError: if it does not exist, or holds something else than the artifact
            takes.
    """
    modality = artifact.manifest.preprocessing["modality"]
    if modality == "table":
        raise DataError(
            "Rows of a table are not suggested: only images, texts and sounds are. Name"
            " a run on one of these."
        )
    return parse(reference, modality=modality)


def read(artifact: Artifact, source: Source) -> Pool:
    """All examples of a source, asked once for answers and once for features.

    Raises:
        DataError: if the source has no example that can be read.
    """
    from pipelines.serving.predictor import Predictor

    total, predictor = source.fingerprint().examples, Predictor(artifact)
    tick, names = Ticker("asked", total), artifact.manifest.class_names
    items, answers, features, invalid = [], [], [], []
    pairs = zip(
        source.items(),
        predicted(predictor, source.items(), kind=PREDICTIONS),
        predicted(predictor, source.items(), kind=FEATURES),
    )
    for done, (item, answer, of_item) in enumerate(pairs):
        tick(done)
        if answer["valid"] and of_item["valid"]:
            items.append(item)
            answers.append(answer)
            features.append(np.array(of_item["features"], np.float32))
        else:
            invalid.append(name_of(item))
    if not items:
        raise DataError(
            f"None of the {total} examples of {source.ref.location} can be read, such"
            f" as {invalid[0]}. Name a folder or a table with"
            f" {source.modality} examples."
        )
    rows = [[answer["probabilities"][name] for name in names] for answer in answers]
    return Pool(items, answers, np.array(rows), np.stack(features), invalid)


def name_of(item: Item) -> str:
    """The name of an example: its file, or its line in a table."""
    return str(item.origin.get("file") or json.dumps(item.origin))
