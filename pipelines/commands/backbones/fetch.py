"""`zoo fetch`: weights and vocabularies as files, modules as folders."""

from __future__ import annotations

import argparse
import dataclasses
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

import zoo
from pipelines.commands.console import Answer
from pipelines.display.tables import aligned
from zoo.errors import UnknownBackboneError, WeightsError
from zoo.storage import store
from zoo.weights import files, handles

SUMMARY = "pretrained weights into the store, verified"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="or a quoted GLOB such as 'resnet*', or a module's address",
    )
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="copy the files there, to carry them"
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        default=None,
        help="use files on this machine and fetch nothing",
    )
    parser.add_argument(
        "--allow-unpinned",
        action="store_true",
        default=None,
        help="trust an address where no hash is known",
    )


def run(arguments: argparse.Namespace) -> Answer:
    """Fetches the backbones, and answers with the verified files."""
    fetched = fetch(
        arguments.names,
        to=arguments.to,
        offline=arguments.offline,
        allow_unpinned=arguments.allow_unpinned,
    )
    table = [(item.name, f"{item.bytes / 1e6:.1f} MB", item.path) for item in fetched]
    lines = [aligned([("name", "size", "verified file"), *table])]
    if arguments.to and any(item.sha256 for item in fetched):
        lines.append(
            "On the other machine, give the file: --config.weights=PATH, or"
            " weights=PATH in Python."
        )
    if arguments.to and not all(item.sha256 for item in fetched):
        lines.append(
            "On the other machine, give the folder of a module:"
            " --config.backbone=tfhub --config.handle=PATH."
        )
    values = {"weights": [dataclasses.asdict(item) for item in fetched]}
    return Answer(values, "\n".join(lines))


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A verified file, or a folder, which has no sha256."""

    name: str
    path: str
    bytes: int
    sha256: str | None


def fetch(
    names: list[str],
    *,
    to: Path | None,
    offline: bool | None,
    allow_unpinned: bool | None = None,
) -> tuple[Fetched, ...]:
    """Files and modules of these backbones; an address is the name of its module.

    Raises:
        BackboneError: for a name that no row has, before the first byte is fetched, or
            if something is not available.
    """
    options = {"offline": offline, "allow_unpinned": allow_unpinned}
    names = list(dict.fromkeys(match for name in names for match in _matching(name)))
    rows = [
        None if handles.is_web_address(name) else zoo.get_spec(name) for name in names
    ]
    return tuple(
        item
        for name, spec in zip(names, rows)
        for item in (
            [_module(name, spec, to, options)]
            if spec is None or spec.carries_weights
            else _files(spec, to, options)
        )
    )


def _matching(name: str) -> list[str]:
    """A name as it is, or the pretrained backbones that a pattern matches."""
    if handles.is_web_address(name) or not set("*?[") & set(name):
        return [name]
    matches = zoo.list_backbones(name, pretrained=True)
    if not matches:
        raise UnknownBackboneError(
            f"No backbone with published weights matches '{name}'."
            " `zoo list --pretrained` shows the backbones that have some."
        )
    return matches


def _files(
    spec: zoo.BackboneSpec, to: Path | None, options: Mapping[str, bool | None]
) -> Iterator[Fetched]:
    for file in files.files(spec) or (files.published(spec),):
        path = files.obtain(spec, file, **options)
        if to:
            path = files.copy_to(to, path, spec, file)
        sha256 = files.hash_file(path, "sha256")
        yield Fetched(spec.name, str(path), path.stat().st_size, sha256)


def _module(
    name: str,
    spec: zoo.BackboneSpec | None,
    to: Path | None,
    options: Mapping[str, bool | None],
) -> Fetched:
    folder = handles.resolve_handle(spec.handle if spec else name, **options)
    if to:
        folder = _copy(folder, to / (spec.name if spec else _folder_name(name)))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Fetched(name, str(folder), size, None)


def _folder_name(address: str) -> str:
    parts = urllib.parse.urlsplit(address).path.split("/")
    return "_".join(filter(None, parts)) or "module"


def _copy(folder: Path, target: Path) -> Path:
    try:
        store.copy_folder(folder, target)
    except OSError as error:
        raise WeightsError(
            f"The module in {folder} cannot be copied to {target}: {error.strerror}."
            " Name a folder that takes files from you and has no such folder yet."
        ) from error
    return target
