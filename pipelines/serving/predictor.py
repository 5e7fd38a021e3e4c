"""Predictions from an artifact on disk, with TensorFlow and nothing else of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.errors import ArtifactError
from pipelines.serving.artifact import Artifact, open_verified
from pipelines.serving.loading import load_saved_model
from pipelines.serving.prediction import Prediction, from_outputs
from pipelines.serving.requirements import import_ops
from pipelines.serving.server import op_scan

_BATCH_SIZE = 32
_DEFAULT = "serving_default"
_FEATURES = "features"


class Predictor:
    """A loaded artifact. Make one with `load`."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        for module in artifact.manifest.preprocessing.get("requires", ()):
            import_ops(module, artifact.path)
        op_scan.harmless_graph(artifact.path)
        # Kept, because a signature alone does not keep its variables alive.
        self.saved_model = load_saved_model(artifact.path)

    @property
    def modality(self) -> str:
        """`image`, `text` or `series`."""
        return self.artifact.manifest.preprocessing["modality"]

    def predict(self, examples: Sequence[bytes | str | np.ndarray]) -> list[Prediction]:
        """A prediction for each example, in order.

        An example is an encoded JPEG, PNG, GIF, BMP or WebP; a text; or a series,
        `[steps, channels]`.

        Raises:
            ArtifactError: if a series has another shape than the artifact takes.
        """
        names, predictions = self.artifact.manifest.class_names, []
        for batch in self._batches(examples):
            found = self._run(_DEFAULT, batch)
            for i in range(len(batch)):
                row = {name: values[i] for name, values in found.items()}
                predictions.append(from_outputs(row, names))
        return predictions

    def features(self, examples: Sequence[bytes | str | np.ndarray]) -> np.ndarray:
        """What the head reads of each example, float32 `[examples, width]`, in order.

        Zeros for one that is not valid. Examples are as for `predict`.

        Raises:
            ArtifactError: if a series has another shape than the artifact takes.
        """
        # No examples are a batch too, of no rows and the right width.
        batches = list(self._batches(examples)) or [[]]
        return np.concatenate(
            [self._run(_FEATURES, batch)["features"] for batch in batches]
        )

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Float32 `[batch, classes]` for what the model was trained on.

        That is uint8 `[batch, size, size, 3]`, texts `[batch]`, or series.
        """
        return self._run(self._raw, inputs)["probabilities"]

    @property
    def graph(self) -> Any:
        """The signature behind `probabilities`: a function of a tensor by its name."""
        return self.saved_model.signatures[self._raw]

    @property
    def trained_on(self) -> tf.TensorSpec:
        """What `graph` takes, `[None, ...]`."""
        (spec,) = self.graph.structured_input_signature[1].values()
        return spec

    @property
    def _raw(self) -> str:
        return "pixels" if self.modality == "image" else _DEFAULT

    def _run(self, signature: str, inputs: Any) -> dict[str, np.ndarray]:
        serve = self.saved_model.signatures[signature]
        (spec,) = serve.structured_input_signature[1].values()
        found = serve(**{spec.name: tf.constant(inputs, spec.dtype)})
        return {name: value.numpy() for name, value in found.items()}

    def _batches(
        self, examples: Sequence[bytes | str | np.ndarray]
    ) -> Iterator[list[bytes | str | np.ndarray]]:
        """The examples as a signature takes them, some at a time."""
        for start in range(0, len(examples), _BATCH_SIZE):
            batch = list(examples[start : start + _BATCH_SIZE])
            if self.modality == "series":
                for one in batch:
                    self._refuse_other_shape(np.shape(one))
            yield batch

    def _refuse_other_shape(self, shape: tuple[int, ...]) -> None:
        signature = self.artifact.manifest.signatures[_DEFAULT]
        wanted = tuple(signature["inputs"]["series"]["shape"][1:])
        if shape != wanted:
            raise ArtifactError(
                f"The artifact takes series of shape {wanted}, steps and channels, but"
                f" one of shape {shape} came."
            )


def load(folder: str | Path) -> Predictor:
    """An artifact, verified against its manifest and ready to predict.

    `folder` is a version, or a base folder, of which the newest version is taken. A
    SavedModel is a program: load artifacts from people you trust.

    Raises:
        ArtifactError: if it is not an artifact, or not what was published, or has ops
            that reach outside of it, or if a module that it requires is not installed.
    """
    return Predictor(open_verified(Path(folder)))
