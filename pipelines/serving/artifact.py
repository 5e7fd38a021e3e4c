"""The artifact on disk: its manifest, and its verification.

Imports no TensorFlow, so that a folder can be listed and verified anywhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import ArtifactError

MANIFEST = "zoo_artifact.json"
# For people; older versions have none. The same seed gives the same one.
MODEL_CARD = "model_card.md"
# Not what Python calls a digit: int() cannot read a superscript two, and no server
# reads a number that 64 bits do not hold.
VERSION_NAME = re.compile(r"[0-9]{1,18}")
FORMAT = 2
# In the data of a manifest whose classes were changed: of the data before each change.
FINGERPRINTS_BEFORE = "fingerprints_before"
# Fields that depend on the machine and the hour: versions of packages, differences
# between two processes, seconds and what they decided.
_DEPENDS_ON_THE_PLACE = ("digest", "versions", "parity", "plan")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The description of an artifact, in its folder.

    `files` maps every file but the manifest, relative and with forward slashes, to its
    sha256. `parity` is the record of the comparison with the trained model.
    `calibration` has the rest of what makes answers of logits, with reasons. `digest`
    is one hash of the files and of these fields, except the ones that depend on when
    and where the model was made: the same seed gives the same digest.
    """

    format: int
    model: Mapping[str, Any]
    class_names: tuple[str, ...]
    signatures: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    versions: Mapping[str, str]
    data: Mapping[str, Any]
    plan: Mapping[str, Any]
    metrics: Mapping[str, Any]
    temperature: float
    thresholds: Mapping[str, float]
    calibration: Mapping[str, Any]
    parity: Mapping[str, Any]
    files: Mapping[str, str]
    digest: str = ""

    @property
    def problem(self) -> str:
        """The kind of problem that it answers."""
        return str(self.calibration.get("problem", "single_label"))

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprints of all data whose training split it has seen."""
        before = self.data.get(FINGERPRINTS_BEFORE, ())
        return (*before, self.data.get("fingerprint", ""))


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A published version: its folder, a number, and its manifest."""

    path: Path
    # It names every file and class.
    manifest: Manifest = dataclasses.field(repr=False)

    @property
    def version(self) -> int:
        """The number of the version, which is the name of its folder."""
        return int(self.path.name)


def hash_files(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a folder but the manifest, in order of names."""
    return {
        path.relative_to(folder).as_posix(): _sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Writes a manifest with its digest, and gives it."""
    manifest = dataclasses.replace(manifest, digest=digest_of(manifest))
    text = json.dumps(dataclasses.asdict(manifest), indent=2, sort_keys=True)
    (folder / MANIFEST).write_text(text + "\n")
    return manifest


def digest_of(manifest: Manifest) -> str:
    """The sha256 of the files, and of what a manifest says of them."""
    facts = {
        name: value
        for name, value in dataclasses.asdict(manifest).items()
        if name not in _DEPENDS_ON_THE_PLACE
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artifact.

    Raises:
        ArtifactError: if the folder has no manifest, or one of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{folder} is not an artifact: it has no {MANIFEST}."
            f" {_versions_hint(folder)}"
        )
    try:
        values = json.loads(path.read_text())
        _refuse_other_format(path, values["format"])
        names = {field.name for field in dataclasses.fields(Manifest)}
        # The one that older versions of this format do not have.
        values.setdefault("digest", "")
        manifest = Manifest(**{name: values[name] for name in names})
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} is not a readable manifest: {error!r}.") from error
    return dataclasses.replace(manifest, class_names=tuple(manifest.class_names))


def _refuse_other_format(path: Path, number: object) -> None:
    if number != FORMAT:
        raise ArtifactError(
            f"{path} has format {number}; this version reads {FORMAT}. Export again."
        )


def open_verified(folder: Path) -> Artifact:
    """The artifact in a folder, with every file compared to the manifest.

    `folder` is a version, or a base folder, whose newest version is taken.

    Raises:
        ArtifactError: naming the files that are missing, changed or unknown, or
            that are not plain files.
    """
    if not (folder / MANIFEST).is_file() and versions(folder):
        folder = folder / str(max(versions(folder)))
    manifest = read_manifest(folder)
    refuse_odd_files(folder)
    hashes = hash_files(folder)
    changed = sorted(
        name
        for name in {*hashes, *manifest.files}
        if hashes.get(name) != manifest.files.get(name)
    )
    if not changed and manifest.digest not in ("", digest_of(manifest)):
        changed = [MANIFEST]
    if changed:
        raise ArtifactError(
            f"{folder} is not what was published: {', '.join(changed[:3])} differ from"
            f" its manifest ({len(changed)} in all). It was not loaded; export again."
        )
    return Artifact(folder, manifest)


def versions(base: Path) -> list[int]:
    """The numbers of the published versions below a base folder."""
    if not base.is_dir():
        return []
    return sorted(
        int(path.name)
        for path in base.iterdir()
        if VERSION_NAME.fullmatch(path.name) and path.is_dir()
    )


def model_name(base: Path) -> str:
    """The name of a model from its base folder: of the run, or of the folder."""
    return base.parent.name if base.name == "artifact" else base.name


def refuse_odd_files(folder: Path) -> None:
    """Raises `ArtifactError` if there is anything but plain files and folders.

    A link could show a file that nobody wanted to publish; a pipe would block.
    """
    for root, folders, files in os.walk(folder):
        for entry in (*folders, *files):
            path = Path(root, entry)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise ArtifactError(
                    f"{path} is a link, a pipe or a device. A version holds plain files"
                    " only: copy what it points to."
                )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _versions_hint(folder: Path) -> str:
    if (folder / "artifact").is_dir():
        return f"It looks like a run: try {folder / 'artifact'}."
    return "Give the folder of a version, such as runs/photos/artifact/1."
