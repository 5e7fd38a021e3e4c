"""The detector of a run in its artifact, for data of another source to take over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.errors import ArtifactError
from pipelines.formats import keras_file
from pipelines.planning.detectors import can_move
from pipelines.planning.plan import HeadPlan
from pipelines.probing.probe import Standardization
from pipelines.problems.anomalies.moving import SourceDetector
from pipelines.problems.registry import trains
from pipelines.serving import artifact
from zoo.storage.home import expanded

# In a version of an artifact: the layers of the head, and what they read.
PLACE = "assets.extra/detector.keras"
_ABOUT = "assets.extra/detector.json"
_STANDARDIZE = "standardize"


def write(
    standardize: keras.layers.Layer,
    scores: keras.layers.Layer,
    *,
    beside: Sequence[int] | None,
    plan: HeadPlan,
    backbone: str,
    folder: Path,
) -> None:
    """Writes the layers of a detector below `folder`, which stay as they are.

    `beside` is the shape of what `scores` reads beside features, if it does, and
    `backbone` the sha256 of the weights whose features it reads.
    """
    features = keras.Input(standardize.mean.shape, name="features")
    first, last = _copy(standardize), _copy(scores)
    x = first(features)
    inputs = [features]
    if beside is not None:
        inputs.append(keras.Input(beside, name="beside"))
    outputs = last(x if beside is None else [x, inputs[1]])
    for new, old in ((first, standardize), (last, scores)):
        new.set_weights(old.get_weights())
    head = keras.Model(inputs, outputs, name="detector")
    keras_file.write(head, folder / PLACE)
    about = {
        "backbone": backbone,
        "grid": plan.grid,
        "method": plan.detector,
        "reads": list(plan.reads),
    }
    (folder / _ABOUT).write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")


def read(place: Path) -> SourceDetector:
    """The detector of a run folder, an artifact or a version, if it is as published.

    Raises:
        ArtifactError: if there is not one, or not the one that was published.
    """
    base = expanded(place)
    if (base / "artifact").is_dir():
        base = base / "artifact"
    opened = artifact.open_verified(base)
    if trains(opened.manifest.problem):
        raise ArtifactError(
            f"{opened.path} answers {opened.manifest.problem}, not anomalies, and has"
            " nothing to take over. Give a run of config.problem=anomaly."
        )
    path = opened.path / PLACE
    if not path.is_file():
        method = opened.manifest.plan.get("head", {}).get("detector", "")
        modality = opened.manifest.preprocessing["modality"]
        raise ArtifactError(f"{opened.path} {_without_file(method, modality)}")
    head = keras_file.load(path)
    try:
        about = json.loads((opened.path / _ABOUT).read_text())
        mean, scale = head.get_layer(_STANDARDIZE).get_weights()
        values: dict[str, Any] = {**about, "reads": tuple(about["reads"])}
        return SourceDetector(
            place=str(place),
            digest=opened.manifest.files[PLACE],
            standardization=Standardization(np.asarray(mean), np.asarray(scale)),
            layer=head.layers[-1],
            **values,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} does not hold the layers of a detector: {error!r}. Train it again"
            " with this version."
        ) from error


def _copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    return layer.__class__.from_config(layer.get_config())


def _without_file(method: str, modality: str) -> str:
    if can_move(method, modality):
        return (
            "was published by an earlier version, which kept no detector to take over."
            " Train it again."
        )
    kind = "config.anomaly.method=autoencoder" if modality == "series" else "images"
    return (
        f"has the detector '{method}' of {modality}, which is fitted to its own data"
        f" and cannot be taken over. Give a run with {kind}."
    )
