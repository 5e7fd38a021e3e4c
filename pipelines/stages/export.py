"""Stage 6: export a SavedModel, prove that it equals the trained model, publish it."""

from __future__ import annotations

import base64
import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scipy.special import softmax

from pipelines import environment
from pipelines.data.images import decode_and_resize
from pipelines.data.splits import ImageFiles, Split
from pipelines.errors import ArtifactError
from pipelines.serving import artifact, parity
from pipelines.serving.artifact import Artifact, Manifest
from pipelines.serving.signatures import image_signatures
from pipelines.stages.head import TransferModel

# Nothing is calibrated or rejected yet; the numbers are in the graph all the same, so
# that a client does not change when they are.
_TEMPERATURE = 1.0
_CONFIDENCE_THRESHOLD = 0.0
_PARITY_EXAMPLES = 16
_NOT_AN_IMAGE = b"not an image"


def export(
    model: TransferModel,
    examples: Split,
    base: Path,
    *,
    class_names: Sequence[str],
    facts: Mapping[str, Any],
) -> Artifact:
    """A new version under `base`, which appears complete and proved, or not at all.

    `examples` are real images to prove parity with; `facts` are the manifest's `data`,
    `plan` and `metrics`.

    Raises:
        ArtifactError: if there is no space, or if the SavedModel in a fresh process
            differs from the model in memory.
    """
    base.mkdir(parents=True, exist_ok=True)
    artifact.require_space(base, sum(w.nbytes for w in model.model.get_weights()))
    unpublished = Path(tempfile.mkdtemp(prefix=".unpublished-", dir=base))
    try:
        unpublished.chmod(0o755)  # mkdtemp makes 0700; a server may be another user
        signatures = _save(model, unpublished, class_names)
        record = _prove(model, examples, unpublished, class_names)
        manifest = _manifest(
            model,
            class_names=class_names,
            signatures=signatures,
            record=record,
            folder=unpublished,
            facts=facts,
        )
        artifact.write_manifest(unpublished, manifest)
        return Artifact(artifact.publish(unpublished, base), manifest)
    except (OSError, tf.errors.OpError) as error:
        raise ArtifactError(
            f"The export to {base} failed and was taken back: {error}. The versions"
            f" that were there are untouched: {artifact.versions(base)}."
        ) from error
    finally:
        shutil.rmtree(unpublished, ignore_errors=True)


def _save(
    model: TransferModel, folder: Path, class_names: Sequence[str]
) -> dict[str, Any]:
    """Writes the SavedModel and gives the inputs and outputs of its signatures."""
    signatures = image_signatures(
        model.model,
        _feature_model(model),
        class_names=class_names,
        input_size_px=model.backbone.input_size_px,
        temperature=_TEMPERATURE,
        confidence_threshold=_CONFIDENCE_THRESHOLD,
    )
    archive = keras.export.ExportArchive()
    archive.track(model.model)
    for name, function in signatures.items():
        archive.add_endpoint(name, function)
    archive.write_out(folder, verbose=False)
    return {name: _described(function) for name, function in signatures.items()}


def _described(function: tf.types.experimental.PolymorphicFunction) -> dict[str, Any]:
    concrete = function.get_concrete_function()
    (inputs,), _ = concrete.structured_input_signature
    return {
        side: {
            name: {"dtype": spec.dtype.name, "shape": list(spec.shape)}
            for name, spec in specs.items()
        }
        for side, specs in (
            ("inputs", inputs),
            ("outputs", concrete.structured_outputs),
        )
    }


def _feature_model(model: TransferModel) -> keras.Model:
    return keras.Model(model.model.input, model.pooled)


def _prove(
    model: TransferModel, examples: Split, folder: Path, class_names: Sequence[str]
) -> dict[str, Any]:
    """Runs every signature in a fresh process, on real images and one that is none."""
    size = model.backbone.input_size_px
    images = _encoded(examples, _PARITY_EXAMPLES)
    pixels = np.stack(
        [decode_and_resize(tf.constant(image), size).numpy() for image in images]
    )
    predicted = _predicted(model, pixels, class_names)
    features = _feature_model(model).predict(pixels, verbose=0).astype(np.float32)
    encoded = np.array([base64.b64encode(one) for one in (_NOT_AN_IMAGE, *images)])
    given = {
        "serving_default": {"image_bytes": encoded},
        "pixels": {"pixels": pixels},
        "features": {"image_bytes": encoded},
    }
    wanted = {
        "serving_default": {k: _behind_bad_row(v) for k, v in predicted.items()},
        "pixels": predicted,
        "features": {"features": _behind_bad_row(features)},
    }
    with tempfile.TemporaryDirectory() as scratch:
        found = parity.run_in_fresh_process(
            folder, _by_batch_size(given), Path(scratch)
        )
    record = parity.compare(_by_batch_size(wanted), found)
    return {**record, "examples": len(images)}


def _by_batch_size(
    arrays: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """The first rows of every array, for every batch size, under a key for each."""
    return {
        f"{signature}/{count}/{name}": value[:count]
        for signature, values in arrays.items()
        for name, value in values.items()
        for count in parity.batch_sizes(len(value))
    }


def _behind_bad_row(values: np.ndarray) -> np.ndarray:
    """The same rows after one of a bad image: zeros, false, the empty label."""
    return np.concatenate([np.zeros_like(values[:1]), values])


def _predicted(
    model: TransferModel, pixels: np.ndarray, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """What the signatures must give, computed from the model in memory."""
    logits = model.model.predict(pixels, verbose=0).astype(np.float32)
    probabilities = softmax(logits / _TEMPERATURE, axis=1)
    names = np.array([name.encode() for name in class_names])
    confidence = probabilities.max(axis=1)
    return {
        "probabilities": probabilities,
        "label": names[probabilities.argmax(axis=1)],
        "confidence": confidence,
        "accepted": confidence >= _CONFIDENCE_THRESHOLD,
        "valid": np.ones(len(pixels), bool),
    }


def _encoded(examples: Split, count: int) -> list[bytes]:
    """The first images of a split as files; arrays become PNG, which loses nothing."""
    images = examples.images
    if isinstance(images, ImageFiles):
        return [Path(path).read_bytes() for path in images.paths[:count]]
    return [tf.io.encode_png(one).numpy() for one in images.pixels[:count]]


def _manifest(
    model: TransferModel,
    *,
    class_names: Sequence[str],
    signatures: Mapping[str, Any],
    record: Mapping[str, Any],
    folder: Path,
    facts: Mapping[str, Any],
) -> Manifest:
    spec = model.backbone.spec
    return Manifest(
        format=artifact.FORMAT,
        model={
            "backbone": spec.name,
            "handle": spec.handle,
            "weights": model.backbone.weights,
            "license": spec.license,
            "paper": spec.paper,
        },
        class_names=tuple(class_names),
        signatures=signatures,
        preprocessing={
            "input_size_px": model.backbone.input_size_px,
            "resize": "bilinear, antialias, stretched to a square, rounded to uint8",
            "pixels": dataclasses.asdict(spec.pixels),
        },
        versions=environment.installed_versions(),
        data=facts["data"],
        plan=facts["plan"],
        metrics=facts["metrics"],
        temperature=_TEMPERATURE,
        thresholds={"confidence": _CONFIDENCE_THRESHOLD},
        parity=record,
        files=artifact.hash_files(folder),
    )
