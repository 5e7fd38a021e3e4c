"""The file of a few-shot classifier: what it keeps, without its backbone."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ConfigError
from pipelines.features import described_arrays
from pipelines.methods.few_shot.choice import Chosen
from pipelines.methods.few_shot.kept import ClassRows, Kept
from pipelines.methods.few_shot.vectors import Normalization

_FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """All that a few-shot classifier knows.

    `normalization` is the one of base data, None without; `normalize` the one in use.
    `chosen` and `normalize` follow from the rest, and are not in the file.
    """

    parameters: Mapping[str, Any]
    head: str
    fingerprint: str
    reference: str
    normalization: Normalization | None
    kept: Kept
    chosen: Chosen | None = None
    normalize: Normalization | None = None


def save(state: State, path: Path) -> None:
    """Writes the file; it is whole or not there.

    Raises:
        OSError: if the disk does not take it.
    """
    about = {
        "format": _FORMAT,
        "parameters": state.parameters,
        "head": state.head,
        "fingerprint": state.fingerprint,
        "reference": state.reference,
        "names": state.kept.names,
    }
    arrays: dict[str, Any] = {}
    for i, rows in enumerate(state.kept.classes.values()):
        arrays[f"features_{i}"], arrays[f"contents_{i}"] = rows.features, rows.contents
    if state.normalization is not None:
        arrays["mean"] = state.normalization.mean
        arrays["scale"] = state.normalization.scale
    described_arrays.save(path, about, arrays)


def load(path: Path) -> State:
    """The state that `save` wrote.

    Raises:
        ConfigError: if the file is damaged, or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["format"] != _FORMAT:
                raise ValueError(f"format {about['format']}; this one reads {_FORMAT}")
            classes = {
                name: ClassRows(file[f"features_{i}"], file[f"contents_{i}"])
                for i, name in enumerate(about["names"])
            }
            of_base = (
                Normalization(file["mean"], file["scale"]) if "mean" in file else None
            )
        return State(
            about["parameters"],
            about["head"],
            about["fingerprint"],
            about["reference"],
            of_base,
            Kept(classes),
        )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} cannot be read as a few-shot classifier: {error}. Pass the file"
            " that `FewShotClassifier.save` wrote, or fit the classifier again."
        ) from error
