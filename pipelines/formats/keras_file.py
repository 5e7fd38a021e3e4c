"""The trained classifier as a Keras model in one file, from raw inputs to logits."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import zoo
from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving import artifact
from zoo.storage.home import expanded

# In a version of an artifact; servers read nothing else there but what warms them up.
PLACE = "assets.extra/model.keras"
_ENDING = ".keras"
# Logits of some tens in single precision, computed twice.
_TOLERANCE = 1e-5
_ANY_SIZE, _SHOWN = 32, 200
_FAULTS = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError),
    zipfile.BadZipFile,
)
# The earliest time that a zip file can say.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(model: keras.Model, path: Path) -> None:
    """Writes the model, proved; the same model gives the same bytes at any time.

    Raises:
        ArtifactError: if the file does not load, or what it holds answers otherwise.
        ConfigError: if the name does not end with `.keras`.
    """
    if path.suffix != _ENDING:
        raise ConfigError(
            f"{path} is not named as a Keras file, which ends with {_ENDING}, as in"
            " model.keras."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # Keras writes only to names that end like this.
    dated = path.with_name(f".dated.{os.getpid()}{_ENDING}")
    undated = path.with_name(f".new.{os.getpid()}{_ENDING}")
    try:
        model.save(dated)
        _without_date(dated, undated)
        _prove(model, undated)
        undated.replace(path)
    finally:
        dated.unlink(missing_ok=True)
        undated.unlink(missing_ok=True)


def require_possible(model: keras.Model) -> None:
    """Raises `ArtifactError` for a network that a Keras file cannot hold.

    Before training, so that nothing is lost by it.
    """
    with tempfile.TemporaryDirectory(prefix="zootune_keras_") as folder:
        write(model, Path(folder) / f"model{_ENDING}")


def _prove(model: keras.Model, path: Path) -> None:
    """Raises `ArtifactError` unless the model in a file answers as the one in memory.

    Layers of other libraries write configs that they do not take, as some of KerasHub
    do, and nobody would know before the file is needed.
    """
    remedy = "The SavedModel needs no such file: leave config.export.keras out."
    zoo.keras_objects.register()
    try:
        again = keras.models.load_model(path, compile=False, safe_mode=True)
    except _FAULTS as error:
        raise ArtifactError(
            "The network cannot be kept as a Keras file, which does not load again:"
            f" {str(error).splitlines()[0][:_SHOWN]} {remedy}"
        ) from error
    inputs = [_made_up(takes) for takes in model.inputs]
    wanted, found = (
        keras.ops.convert_to_numpy(network(inputs[0] if len(inputs) == 1 else inputs))
        for network in (model, again)
    )
    if not np.allclose(found, wanted, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True):
        raise ArtifactError(
            "The network cannot be kept as a Keras file, which answers otherwise: by up"
            f" to {np.abs(found - wanted).max():.1e}. {remedy}"
        )


def _made_up(takes: keras.KerasTensor) -> tf.Tensor:
    """Two examples that an input takes, with 32 wherever any size goes."""
    shape = (2, *(size or _ANY_SIZE for size in takes.shape[1:]))
    if takes.dtype == "string":
        return tf.fill(shape, "some words")
    levels = np.random.default_rng(0).integers(0, 256, shape)
    return tf.constant(levels, takes.dtype)


def load(place: Path) -> keras.Model:
    """The Keras model of a run folder, an artifact, or a `.keras` file.

    Of an artifact, the file is what the manifest says that was published.

    Raises:
        ArtifactError: if there is not one, or not the one that was published.
    """
    zoo.keras_objects.register()
    path = place if place.suffix == _ENDING else _in_artifact(place)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except _FAULTS as error:
        raise ArtifactError(
            f"{path} cannot be loaded as a Keras model: {error}. Write it again with"
            " run.save()."
        ) from error


def _in_artifact(place: Path) -> Path:
    base = expanded(place)
    report = base / "report.json"
    if report.is_file():
        try:
            named = json.loads(report.read_text(encoding="utf-8"))["artifact"]
            if named is None:
                raise ArtifactError(
                    f"{base} has no artifact: its model did not pass the quality gate"
                    " (`gate` in its report.json). Train a better one."
                )
            base = Path(named)
        except (ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{report} does not name an artifact: {error!r}. Give its folder."
            ) from error
    opened = artifact.open_verified(base)
    path = opened.path / PLACE
    if not path.is_file():
        raise ArtifactError(
            f"{opened.path} holds no Keras model. Train with config.export.keras=True,"
            " or save the model where it was trained: run.save('model.keras')."
        )
    return path


def _without_date(dated: Path, undated: Path) -> None:
    """Copies a Keras file without the times at which it was written."""
    with zipfile.ZipFile(dated) as old, zipfile.ZipFile(undated, "w") as new:
        for name in sorted(old.namelist()):
            with old.open(name) as source:
                content = source.read()
            if name == "metadata.json":
                about = json.loads(content)
                about["date_saved"] = ""
                content = json.dumps(about, sort_keys=True).encode()
            new.writestr(zipfile.ZipInfo(name, _EPOCH), content)
