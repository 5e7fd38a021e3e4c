"""The trained classifier as a Keras model in one file, from raw inputs to logits."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import keras

import zoo
from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving import artifact
from zoo.storage.home import expanded

# In a version of an artifact; servers read nothing else there but what warms them up.
PLACE = "assets.extra/model.keras"
_ENDING = ".keras"
# The earliest time that a zip file can say.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write(model: keras.Model, path: Path) -> None:
    """Writes the model; the same model gives the same bytes at any time.

    Raises:
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
        undated.replace(path)
    finally:
        dated.unlink(missing_ok=True)
        undated.unlink(missing_ok=True)


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
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
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
