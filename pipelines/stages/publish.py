"""The last stage: keep the trained backbone, and make it a row of the registry."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zoo
from pipelines.errors import ConfigError
from zoo import published
from zoo.builder import Backbone
from zoo.errors import BackboneError, CorruptWeightsError
from zoo.graph import columns as graph
from zoo.graph.channels import channels_inside
from zoo.published import columns_of
from zoo.registry import TAKES_HANDLE
from zoo.saved_model.export import save_module
from zoo.spec import (
    OUTPUT,
    ZERO_TO_ONE,
    BackboneSpec,
    Boundary,
    ImageInput,
    Input,
    SoundInput,
    TableInput,
    TextInput,
    WeightsFile,
)
from zoo.storage import durable
from zoo.storage.hashing import hash_file

_WEIGHTS = "backbone.weights.h5"
CHECKPOINTS, META = "checkpoints", "meta.json"


def save_backbone(backbone: Backbone, folder: Path, *, handle: str) -> dict[str, Any]:
    """Writes the weights of a trained backbone, and gives what rebuilds it.

    The file is whole or not there: an interrupted write leaves no broken one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Keras only writes to names that end like this.
    unfinished = folder / f".new.{_WEIGHTS}"
    backbone.model.save_weights(unfinished)
    durable.sync(unfinished)
    path = folder / _WEIGHTS
    unfinished.replace(path)
    takes = backbone.model.input
    return {
        "name": backbone.spec.name,
        "handle": handle,
        "weights": backbone.weights,
        "modality": backbone.spec.modality,
        "input_size_px": backbone.input_size_px,
        "input_length": backbone.input_length,
        "channels": takes.shape[-1] if takes.name == "series" else None,
        "columns": _columns(backbone),
        "rate_hz": backbone.rate_hz,
        "file": path.name,
        "sha256": hash_file(path, "sha256"),
    }


def publish(workdir: Path, *, name: str) -> BackboneSpec:
    """Makes the backbone of a finished run, or of `zoo meta`, a row of the registry.

    The row has the blocks of the network that it was trained from, and lies beside the
    same network as a reusable SavedModel. Where Keras or a handle hides the blocks, the
    row is that SavedModel, which is one block.

    Raises:
        ConfigError: if there is no finished run.
        BackboneError: if the name is taken or cannot be one.
        CorruptWeightsError: if the weights are not what the run wrote.
    """
    is_meta = (workdir / META).is_file()
    report = read_report(workdir, META if is_meta else "report.json")
    kept = report["backbone"]
    path = _weights_of(workdir, kept)
    _refuse_taken(name)
    backbone = trained_backbone(workdir, kept)
    row = _row(backbone, name, kept)

    def fill(folder: Path) -> None:
        save_module(backbone.model, folder / published.MODULE)
        if row.weights:
            shutil.copyfile(path, folder / row.weights.file_name)

    published.add(row, fill, origin=_origin(workdir, report))
    return zoo.get_spec(name)


def trained_backbone(workdir: Path, kept: Mapping[str, Any]) -> Backbone:
    """The backbone of a finished run, with the weights that it trained.

    `kept` has the values of `save_backbone`, which are `backbone` in the report.

    Raises:
        CorruptWeightsError: if the weights are not what the run wrote.
    """
    path = _weights_of(workdir, kept)
    backbone = _rebuilt(kept)
    backbone.model.load_weights(path)
    return backbone


def _weights_of(workdir: Path, kept: Mapping[str, Any]) -> Path:
    path = workdir / CHECKPOINTS / kept["file"]
    if not path.is_file() or hash_file(path, "sha256") != kept["sha256"]:
        raise CorruptWeightsError(
            f"{path} is not the file that the run wrote, so it was not used. Train"
            " again."
        )
    return path


def read_report(workdir: Path, name: str = "report.json") -> dict[str, Any]:
    """The report of a finished run, or of meta-training by its name.

    Raises:
        ConfigError: if there is no finished run.
    """
    try:
        report = json.loads((workdir / name).read_text())
        report["backbone"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{workdir} is not the folder of a finished run: it has no {name} with"
            f" a backbone ({error!r}). Give the folder that config.workdir named."
        ) from error
    return report


def _refuse_taken(name: str) -> None:
    if published.find(name):
        raise BackboneError(published.taken(name))
    if name in (*zoo.list_backbones(), *TAKES_HANDLE):
        raise BackboneError(
            f"'{name}' is the name of a backbone already. Choose another name."
        )


def _rebuilt(kept: Mapping[str, Any]) -> Backbone:
    """The same network, with weights that are about to be replaced."""
    as_was = bool(kept["handle"]) or _hides_blocks(zoo.get_spec(kept["name"]))
    return zoo.build(
        kept["name"],
        handle=kept["handle"] or None,
        weights="default" if as_was else None,
        input_size_px=kept["input_size_px"],
        input_length=kept["input_length"],
        channels=kept["channels"],
        columns=columns_of(kept["columns"]) if kept.get("columns") else None,
        rate_hz=kept.get("rate_hz"),  # older runs know no sounds
    )


def _columns(backbone: Backbone) -> list[dict[str, Any]] | None:
    """The columns of a network for tables, as values of JSON."""
    if not isinstance(backbone.spec.input, TableInput):
        return None
    return [dataclasses.asdict(column) for column in graph.columns_of(backbone.model)]


def _hides_blocks(spec: BackboneSpec) -> bool:
    """True if the network can only be built together with its own weights."""
    return spec.carries_weights or spec.weights_change_graph


def _row(backbone: Backbone, name: str, kept: Mapping[str, Any]) -> BackboneSpec:
    """The row of the trained network in the registry."""
    spec = dataclasses.replace(
        backbone.spec,
        name=name,
        input=_input(backbone),
        parameters=backbone.model.count_params(),
        imagenet_top1=None,
    )
    if kept["handle"] or _hides_blocks(backbone.spec):
        return dataclasses.replace(
            spec,
            source="tfhub",
            handle=published.MODULE,
            input=_module_input(backbone),
            blocks=(Boundary(published.MODULE, OUTPUT),),
            weights=None,
            weights_change_graph=False,
            carries_weights=True,
        )
    file = WeightsFile(
        published.weights_name(name), spec.license, path=".", sha256=kept["sha256"]
    )
    return dataclasses.replace(spec, weights=file)


def _input(backbone: Backbone) -> Input:
    """The input of the network, with its size in training as the default."""
    takes = backbone.spec.input
    if isinstance(takes, ImageInput):
        size = backbone.input_size_px or takes.default_size_px
        return dataclasses.replace(takes, default_size_px=size)
    if isinstance(takes, TextInput):
        return dataclasses.replace(takes, default_length_tokens=backbone.input_length)
    if isinstance(takes, TableInput):
        return TableInput(graph.columns_of(backbone.model))
    if isinstance(takes, SoundInput):
        length_ms = backbone.input_length or takes.default_length_ms
        return dataclasses.replace(
            takes,
            default_length_ms=length_ms,
            minimum_length_ms=(
                length_ms if backbone.spec.fitted else takes.minimum_length_ms
            ),
            rate_hz=backbone.rate_hz or takes.rate_hz,
        )
    _, steps, channels = backbone.model.input_shape
    return dataclasses.replace(
        takes,
        default_length_steps=steps,
        channels=channels,
        inner_channels=channels_inside(backbone.model),
        # What was fitted has dilations that reach over the whole series.
        minimum_length_steps=(
            steps if backbone.spec.fitted else takes.minimum_length_steps
        ),
    )


def _module_input(backbone: Backbone) -> Input:
    size = backbone.input_size_px
    return TextInput() if size is None else ImageInput(size, size, ZERO_TO_ONE)


def _origin(workdir: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """The origin of the row, for people who ask later."""
    return {
        "workdir": str(workdir.absolute()),
        "backbone": report["backbone"],
        "data": report["data"],
        "plan": report["plan"],
        "test": _measured(report),
    }


def _measured(report: Mapping[str, Any]) -> dict[str, Any]:
    """The measures on test that the report leads with; those of classes by default."""
    names = (*report.get("headline", ["accuracy"]), "examples")
    return {name: report["test"][name] for name in names}
