"""The user's own backbones: networks that were trained here, as rows like any other.

backbones/NAME/backbone.json       the row, and what it was made from
backbones/NAME/NAME.weights.h5     its weights
backbones/NAME/module/             the same as a reusable SavedModel
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import BackboneError
from zoo.spec import (
    BackboneSpec,
    Boundary,
    Column,
    ImageInput,
    Input,
    PixelConvention,
    SeriesInput,
    SoundInput,
    TableInput,
    TextInput,
    Tokenizer,
    WeightsFile,
)
from zoo.storage import durable
from zoo.storage.home import expanded, home, required

_FILE = "backbone.json"
MODULE = "module"
_FORMAT = 1
_PRIVATE = 0o700
_INPUTS: dict[str, type[Input]] = {
    kind.modality: kind
    for kind in (ImageInput, TextInput, SeriesInput, SoundInput, TableInput)
}


def folder() -> Path:
    """The folder of the user's backbones, which may not exist yet.

    It lies in `ZOOTUNE_HOME`, or else in `zootune` in the user's folder for data: what
    was trained is not a cache, and nothing may empty it.

    Raises:
        StoreError: if no variable names a folder, and the user has no home.
    """
    named = os.environ.get("ZOOTUNE_HOME")
    if named:
        return expanded(named).absolute() / "backbones"
    data = os.environ.get("XDG_DATA_HOME")
    share = Path(data) if data else required(of="backbones") / ".local" / "share"
    return share.absolute() / "zootune" / "backbones"


def has_folder() -> bool:
    """True if a folder for them is known; it need not exist yet."""
    variables = ("ZOOTUNE_HOME", "XDG_DATA_HOME")
    return any(map(os.environ.get, variables)) or home() is not None


def rows() -> Iterator[BackboneSpec]:
    """Every row, in order of names; one that cannot be read is named on stderr."""
    if not has_folder() or not folder().is_dir():
        return
    for path in sorted(folder().iterdir()):
        if path.name.startswith("."):  # one that is being written
            continue
        try:
            yield _read(path)
        except BackboneError as error:
            print(f"zoo: {error}", file=sys.stderr)


def find(name: str) -> BackboneSpec | None:
    """The row of this name, if there is one.

    Raises:
        BackboneError: if it cannot be read.
    """
    if not has_folder():
        return None
    path = folder() / name
    return _read(path) if (path / _FILE).is_file() else None


def module_folder(name: str) -> Path:
    """The folder of the reusable SavedModel of a row."""
    return folder() / name / MODULE


def weights_name(name: str) -> str:
    """The name of the weight file of a row."""
    return f"{name}.weights.h5"


def add(
    spec: BackboneSpec, fill: Callable[[Path], None], *, origin: Mapping[str, Any]
) -> Path:
    """A new row, with the weights and the module that `fill` writes into its folder.

    It appears by one rename, or not at all. `origin` says what it was made from.

    Raises:
        BackboneError: if the name is taken, or the folder does not take it.
    """
    target = folder() / spec.name
    values = {"format": _FORMAT, "spec": _as_values(spec), "origin": dict(origin)}
    try:
        with _row_folder(target) as new:
            fill(new)
            (new / _FILE).write_text(json.dumps(values, indent=2) + "\n")
    except OSError as error:
        if target.exists():
            raise BackboneError(taken(spec.name)) from error
        raise BackboneError(
            f"The backbone '{spec.name}' could not be written to {target}: {error}."
        ) from error
    return target


@contextlib.contextmanager
def _row_folder(target: Path) -> Iterator[Path]:
    """A new folder that becomes the folder of a row at the end."""
    with contextlib.ExitStack() as stack:
        try:
            folder().mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            new = durable.publish_folder(
                target, prefix=f".{target.name}-", mode=_PRIVATE
            )
            path = stack.enter_context(new)
        except OSError as error:
            raise BackboneError(
                f"{folder()} does not take a backbone: {error}. Set ZOOTUNE_HOME to a"
                " folder that takes files from you."
            ) from error
        yield path


def taken(name: str) -> str:
    """The message for a name that another backbone of the user has."""
    return (
        f"A backbone called '{name}' was published already. Choose another name, or"
        f" delete {folder() / name} first."
    )


def _read(path: Path) -> BackboneSpec:
    try:
        values = json.loads((path / _FILE).read_text())
        if values["format"] != _FORMAT:
            raise ValueError(f"its format is {values['format']}, not {_FORMAT}")
        return _from_values(values["spec"], path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackboneError(
            f"The backbone in {path} cannot be read ({error!r}). Publish it again, or"
            " delete the folder."
        ) from error


def _as_values(spec: BackboneSpec) -> dict[str, Any]:
    values = dataclasses.asdict(spec)
    return {**values, "modality": spec.modality}


def _from_values(values: Mapping[str, Any], path: Path) -> BackboneSpec:
    """The row, with its files where its folder lies now."""
    fields = {name: value for name, value in values.items() if name != "modality"}
    weights = fields["weights"]
    if weights:
        fields["weights"] = WeightsFile(
            **{**weights, "path": str(path / weights["file_name"])}
        )
    if fields["carries_weights"]:
        fields["handle"] = str(path / MODULE)
    fields["input"] = _input(values["modality"], fields["input"])
    fields["requires"] = tuple(fields.get("requires", ()))
    fields["blocks"] = tuple(Boundary(**block) for block in fields["blocks"])
    return BackboneSpec(**fields)


def _input(modality: str, values: Mapping[str, Any]) -> Input:
    fields = dict(values)
    if fields.get("pixels"):
        pixels = fields["pixels"]
        numbers = {name: tuple(pixels[name]) for name in ("mean", "std")}
        fields["pixels"] = PixelConvention(**{**pixels, **numbers})
    if fields.get("tokenizer"):
        tokenizer = dict(fields["tokenizer"])
        if tokenizer["vocabulary"]:
            tokenizer["vocabulary"] = WeightsFile(**tokenizer["vocabulary"])
        fields["tokenizer"] = Tokenizer(**tokenizer)
    if modality == TableInput.modality:
        fields["columns"] = columns_of(fields["columns"])
    return _INPUTS[modality](**fields)


def columns_of(values: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """The columns of a table from values of JSON."""
    return tuple(
        Column(
            value["name"],
            None if value["categories"] is None else tuple(value["categories"]),
        )
        for value in values
    )
