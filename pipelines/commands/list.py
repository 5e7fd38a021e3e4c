"""`zoo list` and `zoo info`: the rows of the registry, as tables and as JSON."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import zoo
from pipelines.commands.console import print_json
from pipelines.commands.tables import aligned
from zoo.spec import ImageInput
from zoo.weights import files, handles, is_available


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `zoo list`."""
    parser.add_argument("glob", nargs="?", default="*", metavar="GLOB")
    specs = [zoo.get_spec(name) for name in zoo.list_backbones()]
    for field in ("modality", "source"):
        known = sorted({getattr(spec, field) for spec in specs})
        parser.add_argument(f"--{field}", choices=known)
    parser.add_argument("--pretrained", action="store_true", default=None)
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out what matches; may be given several times",
    )


def show_all(arguments: argparse.Namespace) -> None:
    """Prints the table of the backbones that the arguments leave."""
    names = zoo.list_backbones(
        arguments.glob,
        exclude=tuple(arguments.exclude),
        modality=arguments.modality,
        source=arguments.source,
        pretrained=arguments.pretrained,
    )
    specs = [zoo.get_spec(name) for name in names]
    if arguments.json:
        print_json({"backbones": [summary(spec) for spec in specs]})
        return
    header = ("name", "source", "input", "width", "parameters", "blocks", "top-1")
    rows = [
        (
            spec.name,
            spec.source,
            str(spec.input),
            spec.feature_width,
            "-" if spec.parameters is None else f"{spec.parameters:,}",
            len(spec.blocks),
            "-" if spec.imagenet_top1 is None else f"{spec.imagenet_top1:.3f}",
        )
        for spec in specs
    ]
    print(aligned([header, *rows]))


def summary(spec: zoo.BackboneSpec) -> dict[str, Any]:
    """The fields of a row, and what follows from them, as JSON takes it."""
    values = dataclasses.asdict(spec)
    values["blocks"] = list(spec.block_names)
    return {**values, "modality": spec.modality, "pretrained": spec.pretrained}


def show_one(arguments: argparse.Namespace) -> None:
    """Prints all that is known of a backbone, and where its weights are."""
    spec = zoo.get_spec(arguments.name)
    values = summary(spec)
    path = _weights_at(spec)
    values["weights_at"] = str(path) if path else None
    if arguments.json:
        print_json(values)
        return
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
    print("\n".join(f"{name:<15} {value}" for name, value in rows))


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
