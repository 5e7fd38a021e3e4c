"""The artifact on disk: its manifest, its verification, and its publication.

Imports no TensorFlow, so that a folder can be listed and verified anywhere.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock

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
# A graph, its assets and file system overhead, on top of the weights.
_OVERHEAD_BYTES = 32 * 2**20
# No version number, so that a server does not take it for one.
_UNPUBLISHED = ".unpublished-"
_REFUSED = "refused-"
# The report on an export that was refused, beside it.
REFUSAL = "parity.json"
_ABANDONED_AFTER_SECONDS = 3600
# Fields that depend on the machine and the hour: versions of packages, differences
# between two processes, seconds and what they decided.
_DEPENDS_ON_THE_PLACE = ("digest", "versions", "parity", "plan")

_logger = logging.getLogger("zootune")


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


def require_space(base: Path, weight_bytes: int) -> None:
    """Raises `ArtifactError` unless the disk can take an export of this size."""
    needed = weight_bytes + _OVERHEAD_BYTES
    free = shutil.disk_usage(base).free
    if free < needed:
        raise ArtifactError(
            f"There is no space to export to {base}: {needed / 1e6:.0f} MB are needed"
            f" and {free / 1e6:.0f} MB are free. Nothing was written."
        )


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


@contextlib.contextmanager
def unpublished(base: Path) -> Iterator[Path]:
    """A folder below `base` in which a version is made; no server takes it for one.

    It goes at the end, unless it was published. What exports that were killed have left
    goes at the beginning: what was made on this machine, because its maker has it
    locked while it lives; and what another machine has made, whose locks may not be
    seen here, if nothing was written for an hour.
    """
    prefix = f"{_UNPUBLISHED}{_this_machine()}-"
    with _locked(base):  # so that nobody sees a folder that is not locked yet
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        descriptor = os.open(folder, os.O_RDONLY)
        with contextlib.suppress(OSError):  # a disk without locks: the hour has to do
            _lock(descriptor)
    try:
        folder.chmod(0o755)  # mkdtemp makes 0700; a server may be another user
        # By the clock of the disk, which may be another machine's.
        _remove_abandoned(base, now_seconds=folder.stat().st_mtime)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)


def _this_machine() -> str:
    """A name for this machine since it was started, for names of files."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:  # no Linux
        started = ""
    identity = f"{socket.gethostname()} {started}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


@contextlib.contextmanager
def _locked(base: Path) -> Iterator[None]:
    """Waits for the lock of a folder that this machine's exports share."""
    descriptor = os.open(base, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a disk without locks
            filelock.lock_descriptor(descriptor)
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(base: Path, *, now_seconds: float) -> None:
    here = f"{_UNPUBLISHED}{_this_machine()}-"
    with _locked(base):
        left = list(base.glob(f"{_UNPUBLISHED}*"))
    for path in left:
        # Another export removes it too, or it is not ours to remove.
        with contextlib.suppress(OSError):
            written = max(p.lstat().st_mtime for p in (path, *path.rglob("*")))
            is_old = now_seconds - written > _ABANDONED_AFTER_SECONDS
            if is_old or path.name.startswith(here):
                _remove_unless_held(path)


def _remove_unless_held(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _lock(descriptor)
        shutil.rmtree(path)
        _logger.info("%s was removed: an export that was killed left it.", path)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Locks a folder until its descriptor is closed, however the process ends.

    Raises:
        OSError: if somebody has it locked, or it cannot be locked.
    """
    if not filelock.lock_descriptor(descriptor, blocking=False):
        raise BlockingIOError("somebody has it locked")


def publish(unpublished: Path, base: Path) -> Path:
    """Gives a complete folder the next version number, by one rename.

    Every file is on disk before the rename, so a version that is seen is whole.

    Raises:
        ArtifactError: if there is anything in it but plain files and folders.
    """
    refuse_odd_files(unpublished)
    for path in unpublished.rglob("*"):
        _flush(path)
    _flush(unpublished)
    while True:
        # Files count too: a name that anything has is taken.
        names = [path.name for path in base.iterdir()]
        taken = [int(name) for name in names if VERSION_NAME.fullmatch(name)]
        target = base / str(max(taken, default=0) + 1)
        try:
            unpublished.rename(target)
        except OSError:
            # Another export took the number first; anything else is a real error.
            if not target.exists():
                raise
            continue
        _flush(base)
        return target


def keep_refused(unpublished: Path, base: Path, about: Mapping[str, Any]) -> Path:
    """Gives an export that was refused a name that no server takes for a version.

    Nothing removes it but its owner. It has no manifest, so that nothing loads it by
    mistake, and the file `REFUSAL` says what there is to know `about` it.
    """
    text = json.dumps(about, indent=2, allow_nan=False)
    (unpublished / REFUSAL).write_text(text + "\n", encoding="utf-8")
    number = len(refused(base))
    while True:
        number += 1
        target = base / f"{_REFUSED}{number}"
        if target.exists():
            continue
        unpublished.rename(target)
        return target


def refused(base: Path) -> list[Path]:
    """The exports below a base folder that were refused."""
    return sorted(path for path in base.glob(f"{_REFUSED}*") if path.is_dir())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
