"""Statistics of held-out examples, to see later whether what comes in is alike."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.errors import ArtifactError

FILE = "assets.extra/drift.npz"
# Random directions of features; each is compared by itself.
DIRECTIONS = 16
# Rows that are kept of each measure.
_MOST = 2000
_LEAST_SPREAD = 1e-6
_ARRAYS = ("ood_scores", "confidences", "projections", "predicted", "labels")


@dataclasses.dataclass(frozen=True, eq=False)
class DriftReference:
    """What an artifact says of `n` examples like those of training, held out from it.

    `ood_scores` and `confidences` are `[n]`, `projections` `[n, 16]`: features, scaled
    by `mean` and `scale` `[width]`, in random directions. `predicted` and `labels`
    count the classes `[classes]`, answered and true; `labels` are of validation, whose
    shares the probabilities are calibrated to.
    """

    class_names: tuple[str, ...]
    ood_scores: np.ndarray
    confidences: np.ndarray
    projections: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(
        cls,
        features: np.ndarray,
        *,
        ood_scores: np.ndarray,
        confidences: np.ndarray,
        predicted: np.ndarray,
        labels: np.ndarray,
        class_names: Sequence[str],
    ) -> DriftReference:
        """The statistics of features `[n, width]` and answers `[n]`, at most 2,000.

        `predicted` are numbers of classes `[n]`, and `labels` those of validation.
        """
        some = np.linspace(0, len(features) - 1, min(len(features), _MOST)).astype(int)
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        scale = features.std(axis=0, dtype=np.float64).astype(np.float32)
        scale = np.maximum(scale, _LEAST_SPREAD + scale.mean())
        classes = len(class_names)
        return cls(
            tuple(class_names),
            ood_scores[some].astype(np.float32),
            confidences[some].astype(np.float32),
            _projected(features[some], mean, scale),
            np.bincount(predicted[some], minlength=classes),
            np.bincount(labels, minlength=classes),
            mean,
            scale,
        )

    def projected(self, features: np.ndarray) -> np.ndarray:
        """Features `[n, width]` in the same directions, float32 `[n, 16]`."""
        return _projected(features, self.mean, self.scale)

    def save(self, folder: Path) -> None:
        """Writes the statistics into the folder of an artifact.

        Raises:
            OSError: if the disk does not take them.
        """
        path = folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in (*_ARRAYS, "mean", "scale")}
        with path.open("wb") as stream:
            names = np.array(json.dumps(self.class_names))
            np.savez(stream, class_names=names, **arrays)


def load(folder: Path) -> DriftReference:
    """The statistics in an artifact.

    Raises:
        ArtifactError: if it has none, or they cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        raise ArtifactError(
            f"{folder} holds no statistics of its training data to compare with. Train"
            " with config.export.drift=True."
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            names = tuple(json.loads(str(file["class_names"])))
            arrays = {name: file[name] for name in (*_ARRAYS, "mean", "scale")}
        if len(arrays["predicted"]) != len(names):
            raise ValueError("its arrays do not fit each other")
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path} cannot be read: {error}. Export the run again."
        ) from error
    return DriftReference(names, **arrays)


def _projected(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    width = len(mean)
    directions = np.random.default_rng(0).normal(size=(width, DIRECTIONS))
    scaled = (features.astype(np.float32) - mean) / scale
    return scaled @ (directions / np.sqrt(width)).astype(np.float32)
