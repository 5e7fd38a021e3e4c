"""The subject of a deployment: an artifact, its name, and the versions served."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.serving import artifact, naming

# Processor cores of one server: as many batches are computed at once.
CPUS = 2
_MEBIBYTE = 2**20
# As the graph decodes them: four images of a batch side by side, each with four
# channels, three composed of those, these once more as they are put together, and some
# for the decoder. Artifacts that do not say how large an image may be allow 50.
_READ_AT_ONCE = 4
_BYTES_PER_PIXEL = 12
_MEGAPIXELS = 50.0
# What stands in an address and in the files as it is.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# RFC 1035, which Kubernetes wants of a Service; ours have suffixes behind the name.
_DNS_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?")


@dataclasses.dataclass(frozen=True)
class Subject:
    """An artifact that is to be served by TensorFlow Serving.

    `base` is the folder of versions. `version` is the one that is served and nothing
    else; None is the newest, also when it comes later. `input` is what a request of the
    default signature holds, and `tensorflow` what the graph was written by. Images of
    more than `megapixels` are refused by the graph; 0 if it takes none. A table has
    `columns`: the type of each input by name.
    """

    name: str
    base: Path
    version: int | None
    newest: int
    model_bytes: int
    input: str
    tensorflow: str
    megapixels: float = 0.0
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def memory_mib(self) -> int:
        """Memory that a server needs: two versions in a change, and 1 GiB to work."""
        return _rounded(2 * self.model_bytes / _MEBIBYTE + 1024)

    @property
    def limit_mib(self) -> int:
        """Memory that a server may take: twice that, or the largest images."""
        at_once = CPUS * _READ_AT_ONCE
        images = at_once * self.megapixels * 1e6 * _BYTES_PER_PIXEL / _MEBIBYTE
        return _rounded(self.memory_mib + max(self.memory_mib, images))


def subject(folder: Path, *, name: str | None) -> Subject:
    """The artifact in a folder, verified file by file.

    `folder` is a version, which is then the only one served, or a base folder.

    Raises:
        ArtifactError: if it is not an artifact, or not what was published.
        ConfigError: if the name cannot stand in an address.
    """
    opened = artifact.open_verified(folder)
    path = opened.path.absolute()
    is_version = (folder / artifact.MANIFEST).is_file()
    served_name = name or artifact.model_name(path.parent)
    if not _MODEL_NAME.fullmatch(served_name):
        raise ConfigError(
            f"The model would be called {served_name!r}; it stands in addresses, so it"
            " may have up to 63 letters, digits, '_', '.' and '-', the first a letter"
            f" or a digit. Choose another with --name {_as_label(served_name)}"
        )
    inputs = opened.manifest.signatures[naming.DEFAULT]["inputs"]
    is_table = naming.TABLE in opened.manifest.signatures
    read = naming.TABLE if is_table else next(iter(inputs))
    versions = opened.manifest.versions
    return Subject(
        name=served_name,
        base=path.parent,
        version=opened.version if is_version else None,
        newest=opened.version,
        model_bytes=sum(p.stat().st_size for p in path.rglob("*") if p.is_file()),
        input=read,
        columns={name: spec["dtype"] for name, spec in inputs.items()}
        if is_table
        else {},
        tensorflow=versions.get("tensorflow") or versions.get("tensorflow-cpu") or "",
        megapixels=_megapixels(opened.manifest) if read == "image_bytes" else 0.0,
    )


def _megapixels(manifest: artifact.Manifest) -> float:
    return float(manifest.preprocessing.get("maximum_megapixels") or _MEGAPIXELS)


def _rounded(mebibytes: float) -> int:
    """Up to a quarter of a gibibyte."""
    return 256 * math.ceil(mebibytes / 256)


def require_label(name: str, target: str) -> None:
    """Raises `ConfigError` unless Kubernetes takes the name for its objects."""
    if not _DNS_LABEL.fullmatch(name):
        raise ConfigError(
            f"The model would be called {name!r}, and --target {target} names objects"
            " after it: they may have up to 53 lower-case letters, digits and '-', the"
            f" first a letter. Choose another with --name {_as_label(name)}"
        )


def _as_label(name: str) -> str:
    cleaned = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-")
    return cleaned if cleaned[:1].isalpha() else f"m-{cleaned}".strip("-")
