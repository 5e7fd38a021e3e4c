"""Predictions from an artifact on disk, with TensorFlow and nothing else of ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.serving.artifact import Artifact, open_verified

_BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What the artifact says of one image.

    `valid` is false for bytes that are not a readable image; then `label` is empty and
    every probability 0. `accepted` is false where the artifact abstains.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    accepted: bool
    valid: bool


class Predictor:
    """A loaded artifact. Make one with `load`."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        # Kept, because a signature alone does not keep its variables alive.
        self._model = tf.saved_model.load(str(artifact.path))

    def predict(self, images: Sequence[bytes]) -> list[Prediction]:
        """A prediction for each encoded JPEG, PNG, GIF, BMP or WebP, in order."""
        return [
            prediction
            for start in range(0, len(images), _BATCH_SIZE)
            for prediction in self._predict_batch(images[start : start + _BATCH_SIZE])
        ]

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Float32 `[batch, classes]` for uint8 `[batch, size, size, 3]`."""
        serve = self._model.signatures["pixels"]
        return serve(pixels=tf.constant(pixels))["probabilities"].numpy()

    def _predict_batch(self, images: Sequence[bytes]) -> Iterator[Prediction]:
        serve = self._model.signatures["serving_default"]
        found = serve(image_bytes=tf.constant(list(images), tf.string))
        rows = {name: value.numpy() for name, value in found.items()}
        names = self.artifact.manifest.class_names
        for i in range(len(images)):
            yield Prediction(
                label=rows["label"][i].decode(),
                confidence=float(rows["confidence"][i]),
                probabilities=dict(zip(names, map(float, rows["probabilities"][i]))),
                accepted=bool(rows["accepted"][i]),
                valid=bool(rows["valid"][i]),
            )


def load(folder: str | Path) -> Predictor:
    """An artifact, verified against its manifest and ready to predict.

    `folder` is a version, or a base folder, of which the newest version is taken. A
    SavedModel is a program: load artifacts from people you trust.

    Raises:
        ArtifactError: if it is not an artifact, or not what was published.
    """
    return Predictor(open_verified(Path(folder)))
