"""Artifacts without training: made in a moment, served and loaded like others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from pipelines.serving import artifact

STEPS, CHANNELS = 6, 2
_INPUTS = {
    "text": tf.TensorSpec([None], tf.string, name="text"),
    "image": tf.TensorSpec([None], tf.string, name="image_bytes"),
    "series": tf.TensorSpec([None, STEPS, CHANNELS], tf.float32, name="series"),
}
LIKELIEST = 0.75


class _Counts(tf.Module):
    """Answers the length of a text, or the rounded sum of a series, as its class."""

    def __init__(self, class_names: Sequence[str], spec: tf.TensorSpec) -> None:
        super().__init__()
        self.names = tf.constant(list(class_names))
        self.spec = spec
        # So that a version has a weight that must be loaded.
        self.sharpness = tf.Variable(LIKELIEST)

    def answers(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.size(self.names)
        if self.spec.dtype == tf.string:
            valid = tf.strings.length(examples) > 0
            label = tf.strings.length(examples) % count
        else:
            valid = tf.reduce_all(tf.math.is_finite(examples), axis=[1, 2])
            total = tf.round(
                tf.reduce_sum(tf.where(valid[:, None, None], examples, 0), 1)
            )
            label = tf.cast(total[:, 0], tf.int32) % count
        rest = (1 - self.sharpness) / tf.cast(tf.maximum(count - 1, 1), tf.float32)
        likeliest = tf.one_hot(label, count, self.sharpness, rest)
        probabilities = tf.where(valid[:, None], likeliest, 0.0)
        return {
            "probabilities": probabilities,
            "label": tf.where(valid, tf.gather(self.names, label), ""),
            "confidence": tf.reduce_max(probabilities, axis=1),
            "accepted": valid,
            "ood_score": tf.zeros_like(probabilities[:, 0]),
            "prediction_set": probabilities > 0.5,
            "valid": valid,
        }

    def signatures(self) -> dict[str, object]:
        """Functions by the name of their signature."""

        @tf.function(input_signature=[{self.spec.name: self.spec}])
        def serve(inputs):
            return self.answers(inputs[self.spec.name])

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def classify(inputs):
            rows = tf.size(inputs)
            count = tf.size(self.names)
            scores = tf.fill([rows, count], 1 / tf.cast(count, tf.float32))
            return {"classes": tf.tile(self.names[None], [rows, 1]), "scores": scores}

        return {"serving_default": serve, "classify": classify}


class _Row(tf.Module):
    """Answers whether the age in a row is over 40; one that is missing is not."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = tf.Variable(40.0)

    def signatures(self) -> dict[str, object]:
        """Functions by the name of their signature, as an artifact of a table has."""
        names = tf.constant(["young", "old"])
        age = tf.TensorSpec([None], tf.float32, name="age")
        job = tf.TensorSpec([None], tf.string, name="job")

        @tf.function(input_signature=[{"age": age, "job": job}])
        def serve(inputs):
            is_missing = tf.math.is_nan(inputs["age"])
            valid = ~is_missing | (inputs["job"] != "")
            label = tf.cast(inputs["age"] > self.limit, tf.int32)
            probabilities = tf.where(valid[:, None], tf.one_hot(label, 2), 0.0)
            return {
                "probabilities": probabilities,
                "label": tf.where(valid, tf.gather(names, label), ""),
                "confidence": tf.reduce_max(probabilities, axis=1),
                "accepted": valid & ~is_missing,
                "ood_score": tf.zeros_like(inputs["age"]),
                "valid": valid,
            }

        @tf.function(
            input_signature=[
                {"table": tf.TensorSpec([None, 2], tf.float32, name="table")}
            ]
        )
        def table(inputs):
            return {"label": tf.gather(names, tf.cast(inputs["table"][:, 0], tf.int32))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
        def classify(inputs):
            rows = tf.size(inputs)
            classes = tf.tile(names[None], [rows, 1])
            return {"classes": classes, "scores": tf.fill([rows, 2], 0.5)}

        return {"serving_default": serve, "table": table, "classify": classify}


def make_rows(folder: Path) -> Path:
    """A version without a manifest that takes rows of a table: `age` and `job`."""
    module = _Row()
    tf.saved_model.save(module, str(folder), signatures=module.signatures())
    return folder


def make(
    folder: Path,
    class_names: Sequence[str],
    *,
    modality: str = "text",
    has_manifest: bool = True,
) -> Path:
    """A version in a new folder. Without a manifest, it is any SavedModel."""
    spec = _INPUTS[modality]
    module = _Counts(class_names, spec)
    tf.saved_model.save(module, str(folder), signatures=module.signatures())
    if has_manifest:
        shape = [-1 if size is None else size for size in spec.shape]
        inputs = {spec.name: {"dtype": spec.dtype.name, "shape": shape}}
        nothing: dict[str, object] = {}
        manifest = artifact.Manifest(
            format=artifact.FORMAT,
            model=nothing,
            class_names=tuple(class_names),
            signatures={"serving_default": {"inputs": inputs}},
            preprocessing={"modality": modality},
            versions={"tensorflow": tf.__version__},
            data=nothing,
            plan=nothing,
            metrics=nothing,
            temperature=1.0,
            thresholds={},
            calibration=nothing,
            parity=nothing,
            files=artifact.hash_files(folder),
        )
        artifact.write_manifest(folder, manifest)
    return folder


def publish(source: Path, base: Path, number: int) -> Path:
    """A copy that appears as a version by one rename, as an export does."""
    import shutil

    base.mkdir(parents=True, exist_ok=True)
    coming = base / f".coming-{number}"
    shutil.copytree(source, coming)
    return coming.rename(base / str(number))
