"""The features that a head was fitted to, kept so that classes can change later.

With them a head for other classes is fitted in closed form, exactly as if all images
had been there from the beginning, and no image is read again.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.checks.content_hashes import content_hashes
from pipelines.data.splits import Split
from pipelines.errors import ConfigError
from pipelines.features import described_arrays

FILE_NAME = "features.npz"
_FORMAT = 1
SPLITS = ("train", "validation", "test")


def _no_weights() -> np.ndarray:
    return np.zeros(0, np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class KeptSplit:
    """Features of one split `[rows, width]`, with all its labels and contents.

    `labels` and `groups` are int64 `[n]`, `contents` the sha256 of each example,
    `S64 [n]`, and `names` their names in predictions, `U [n]`. Examples with the same
    group share content or a group. `rows` are the examples whose features are there;
    with several views, the features of one view of all of them follow after the other.
    `weights` float32 `[n]` say how much each example counts, and are empty where all
    count the same.
    """

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    contents: np.ndarray
    names: np.ndarray
    rows: np.ndarray
    weights: np.ndarray = dataclasses.field(default_factory=_no_weights)

    @property
    def sample_weights(self) -> np.ndarray | None:
        """The weights of all examples; None if all count the same."""
        return self.weights if len(self.weights) else None

    @property
    def views(self) -> int:
        """The number of views of each example."""
        return len(self.features) // max(len(self.rows), 1)

    def first_view(self) -> np.ndarray:
        """The features of the examples as they are, `[rows, width]`."""
        return self.features[: len(self.rows)]


@dataclasses.dataclass(frozen=True, eq=False)
class KeptFeatures:
    """What a head reads, for all three splits of a run, and what it was read with.

    `reads` names the blocks and `widths` the width of each, side by side in a row;
    `grid` is the number of cells a side. `backbone` is the sha256 of the weights file
    of the backbone that read them.
    """

    class_names: tuple[str, ...]
    reads: tuple[str, ...]
    grid: int
    widths: tuple[int, ...]
    backbone: str
    train: KeptSplit
    validation: KeptSplit
    test: KeptSplit

    @property
    def splits(self) -> dict[str, KeptSplit]:
        """All splits by name, train first."""
        return {name: getattr(self, name) for name in SPLITS}

    def with_classes(
        self, class_names: tuple[str, ...], splits: Mapping[str, KeptSplit]
    ) -> KeptFeatures:
        """The same with other classes and splits."""
        train, validation, test = (splits[name] for name in SPLITS)
        return dataclasses.replace(
            self,
            class_names=class_names,
            train=train,
            validation=validation,
            test=test,
        )

    def parts(self, features: np.ndarray) -> list[np.ndarray]:
        """Features as one array `[rows, width]` for every block."""
        return np.split(features, np.cumsum(self.widths)[:-1], axis=1)


def split_with(
    split: Split,
    features: np.ndarray,
    names: Iterable[str],
    *,
    rows: np.ndarray | None = None,
) -> KeptSplit:
    """A split with features of some `rows`, or of all its examples."""
    every = np.arange(len(split))
    return KeptSplit(
        features,
        split.labels,
        every if split.groups is None else split.groups,
        np.array(list(content_hashes(split.inputs)), "S64"),
        np.array(list(names), str),
        every if rows is None else rows,
        _no_weights() if split.weights is None else split.weights,
    )


def save(kept: KeptFeatures, path: Path) -> None:
    """Writes the features; the file is whole or not there.

    Raises:
        OSError: if the disk does not take them.
    """
    about = {
        "format": _FORMAT,
        "class_names": kept.class_names,
        "reads": kept.reads,
        "grid": kept.grid,
        "widths": kept.widths,
        "backbone": kept.backbone,
    }
    arrays = {
        f"{name}_{field.name}": getattr(split, field.name)
        for name, split in kept.splits.items()
        for field in dataclasses.fields(KeptSplit)
    }
    described_arrays.save(path, about, arrays)


def load(path: Path) -> KeptFeatures:
    """The features that a run kept.

    Raises:
        ConfigError: if the file is damaged, or of another version.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            splits = {
                name: KeptSplit(
                    **{
                        field.name: file[f"{name}_{field.name}"]
                        for field in dataclasses.fields(KeptSplit)
                        # Files of earlier versions have no weights.
                        if field.name != "weights" or f"{name}_weights" in file
                    }
                )
                for name in SPLITS
            }
        _require_whole(about, splits)
        return KeptFeatures(
            class_names=tuple(about["class_names"]),
            reads=tuple(about["reads"]),
            grid=int(about["grid"]),
            widths=tuple(about["widths"]),
            backbone=about["backbone"],
            **splits,
        )
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}. It has the features that the head of the"
            " run was fitted to. Delete it, and the images of the run are read again;"
            " after a change of its classes train again instead."
        ) from error


def _require_whole(about: dict[str, Any], splits: dict[str, KeptSplit]) -> None:
    if about["format"] != _FORMAT:
        raise ValueError(f"format {about['format']}; this version reads {_FORMAT}")
    width, classes = sum(about["widths"]), len(about["class_names"])
    for name, split in splits.items():
        fits = (
            split.features.ndim == 2
            and split.features.shape[1] == width
            and len(split.features) % max(len(split.rows), 1) == 0
            and len(split.labels) == len(split.contents) == len(split.groups)
            and len(split.labels) == len(split.names)
            and len(split.weights) in (0, len(split.labels))
            and split.labels.max(initial=-1) < classes
            and split.rows.max(initial=-1) < len(split.labels)
        )
        if not fits:
            raise ValueError(f"the arrays of {name} do not fit each other")
