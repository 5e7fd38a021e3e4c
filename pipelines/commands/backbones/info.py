"""`zoo info`: one row of the registry, and where its weights are."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import zoo
from pipelines.commands.console import Answer
from zoo.spec import ImageInput
from zoo.weights import files, handles, is_available

SUMMARY = "what is known about one backbone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the name of the backbone."""
    parser.add_argument("name", metavar="NAME")


def run(arguments: argparse.Namespace) -> Answer:
    """Answers with all facts about a backbone."""
    spec = zoo.get_spec(arguments.name)
    path = _weights_at(spec)
    values = {**row_values(spec), "weights_at": str(path) if path else None}
    rows = [
        ("name", spec.name),
        ("source", f"{spec.source} ({spec.handle})"),
        ("modality", spec.modality),
        ("input", str(spec.input)),
        *_pixels_rows(spec),
        ("feature width", str(spec.feature_width)),
        ("parameters", _parameters(spec)),
        ("ImageNet top-1", str(spec.imagenet_top1 or "-")),
        ("licence", spec.license),
        ("paper", spec.paper or "-"),
        *_weights_rows(spec, path),
        ("blocks", f"{len(spec.blocks)}: {' '.join(spec.block_names)}"),
    ]
    return Answer(values, "\n".join(f"{name:<15} {value}" for name, value in rows))


def row_values(spec: zoo.BackboneSpec) -> dict[str, Any]:
    """The fields of a row, and what follows from them, as JSON takes it."""
    values = dataclasses.asdict(spec)
    values["blocks"] = list(spec.block_names)
    return {**values, "modality": spec.modality, "pretrained": spec.pretrained}


def _parameters(spec: zoo.BackboneSpec) -> str:
    if spec.parameters is None:
        return "not counted before it is built"
    return f"{spec.parameters:,} without classifier"


def _pixels_rows(spec: zoo.BackboneSpec) -> list[tuple[str, str]]:
    if isinstance(spec.input, ImageInput):
        return [("pixels", spec.input.pixels.name)]
    return []


def _weights_at(spec: zoo.BackboneSpec) -> Path | None:
    if not is_available(spec):
        return None
    if spec.carries_weights:
        return handles.find_module(spec.handle)
    return files.find(files.published(spec))


def _weights_rows(spec: zoo.BackboneSpec, path: Path | None) -> list[tuple[str, str]]:
    here = ("on this machine", str(path or f"no; {files.how_to_get(spec)}"))
    if spec.carries_weights:
        return [("weights", "in the module"), ("from", spec.handle), here]
    file = spec.weights
    if file is None:
        return [("weights", "none published")]
    digest = f"sha256 {file.sha256}" if file.sha256 else f"md5 {file.md5 or '-'}"
    return [
        ("weights", f"{file.file_name} ({file.license}), {digest}"),
        ("from", files.source_of(file)),
        here,
    ]
