"""Archives from strangers: refused as a whole, or unpacked below one folder.

An archive that was cut is noticed wherever it was: `tarfile` takes the end of the file
between two members, or a damaged header, for the end of the archive.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from zoo.errors import ArchiveError

_TAR_BLOCK = 512
_PIECE_BYTES = 1 << 20
# Headers, long names and padding between two members.
_OVERHEAD_BYTES = 4 << 20
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # an encrypted member of a zip file, or headers without end
    ValueError,  # numbers and names that nobody writes
)
# A file where a folder should be, or a name that no disk takes.
_NAME_ERRORS = (
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.EILSEQ,
)


@dataclasses.dataclass(frozen=True)
class Limits:
    """The most that an archive may hold when unpacked."""

    entries: int = 10_000
    bytes: int = 16 * 2**30


def extract(archive: Path, folder: Path, *, limits: Limits | None = None) -> None:
    """Unpacks a `.tar`, `.tar.gz` or `.zip` file into an empty folder.

    Only files and folders are taken, with rights of our own. What was written before
    the archive was refused is left in the folder, for the caller to throw away.

    Raises:
        ArchiveError: if it is damaged, cut or too large, or has an entry that is a
            link or a device, or lies outside the folder.
    """
    with _damage_named(archive):
        with archive.open("rb") as stream:
            zipped = stream.read(2) == b"PK"
        entries = _zip_entries(archive) if zipped else _tar_entries(archive)
        _unpack(entries, folder, limits or Limits())


def extract_one(archive: Path, name: str, target: Path, *, maximum_bytes: int) -> None:
    """Unpacks one file of a `.zip` file, such as a wheel, to `target`.

    Raises:
        ArchiveError: if it is damaged, or the file is missing or too large.
    """
    with _damage_named(archive), zipfile.ZipFile(archive) as opened:
        if name not in opened.namelist():
            raise ArchiveError(f"{archive.name} has no file {name}.")
        entry = _Entry(name, False, opened.getinfo(name).file_size, None)
        _check(entry, Limits(bytes=maximum_bytes), count=1, total=entry.size)
        with opened.open(name) as stream:
            _write(dataclasses.replace(entry, stream=stream), target)


def find_model(folder: Path) -> Path:
    """The SavedModel in an unpacked folder: itself or the only folder in it.

    Raises:
        ArchiveError: if the model, or a part of its variables, is missing.
    """
    inside = [path for path in folder.iterdir() if path.is_dir()]
    candidates = [folder, *inside] if len(inside) == 1 else [folder]
    for candidate in candidates:
        if (candidate / "saved_model.pb").is_file():
            _check_variables(candidate / "variables")
            return candidate
    names = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
    raise ArchiveError(
        f"There is no SavedModel inside: expected saved_model.pb, found {names}."
    )


@dataclasses.dataclass(frozen=True)
class _Entry:
    """One entry; `refused` says why it may not be taken, if so."""

    name: str
    is_folder: bool
    size: int
    stream: IO[bytes] | None
    refused: str | None = None


def _check_variables(folder: Path) -> None:
    index = folder / "variables.index"
    shards = sorted(folder.glob("variables.data-?????-of-?????"))
    expected = int(shards[0].name[-5:]) if shards else 1
    if not index.is_file() or len(shards) != expected:
        raise ArchiveError(
            f"The SavedModel inside is not whole: variables/ has {len(shards)} of"
            f" {expected} data files and {'an' if index.is_file() else 'no'} index."
        )


def _unpack(entries: Iterator[_Entry], folder: Path, limits: Limits) -> None:
    total = 0
    for count, entry in enumerate(entries, start=1):
        total += entry.size
        _check(entry, limits, count=count, total=total)
        target = folder / PurePosixPath(entry.name)
        if entry.is_folder:
            target.mkdir(parents=True, exist_ok=True, mode=0o700)
            continue
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(entry, target)


def _check(entry: _Entry, limits: Limits, *, count: int, total: int) -> None:
    path = PurePosixPath(entry.name)
    outside = path.is_absolute() or ".." in path.parts
    # Elsewhere than on Unix these lead outside too.
    if outside or "\\" in entry.name or ":" in entry.name:
        raise ArchiveError(f"Its entry '{entry.name}' lies outside the folder.")
    if entry.refused or entry.size < 0:
        reason = entry.refused or "has a negative size"
        raise ArchiveError(f"Its entry '{entry.name}' {reason}.")
    if count > limits.entries:
        raise ArchiveError(f"It has more than {limits.entries:,} entries.")
    if total > limits.bytes:
        raise ArchiveError(f"Unpacked it is larger than {limits.bytes:,} bytes.")


def _write(entry: _Entry, target: Path) -> None:
    written = 0
    try:
        with target.open("xb") as to:
            target.chmod(0o600)
            while piece := cast("IO[bytes]", entry.stream).read(_PIECE_BYTES):
                written += len(piece)
                if written > entry.size:
                    break
                to.write(piece)
    except (FileExistsError, IsADirectoryError) as error:
        raise ArchiveError(f"Its entry '{entry.name}' comes twice.") from error
    if written != entry.size:
        raise ArchiveError(f"Its entry '{entry.name}' has another size than it says.")


def _zip_entries(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            refused = None if plain else "is a link or a device"
            if info.is_dir() or refused:
                yield _Entry(info.filename, True, 0, None, refused)
                continue
            with opened.open(info) as stream:
                yield _Entry(info.filename, False, info.file_size, stream)


def _tar_entries(archive: Path) -> Iterator[_Entry]:
    with archive.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw) if zipped else raw
        counted = _Counted(cast("IO[bytes]", stream))
        with tarfile.open(fileobj=cast(Any, counted), mode="r|") as opened:
            for member in opened:
                # A sparse file is a few bytes that say to be many.
                plain = (member.isreg() and not member.issparse()) or member.isdir()
                size = member.size if member.isreg() else 0
                # Whether the size is sane is asked before the first byte is read.
                counted.allowed = member.offset_data + size + _OVERHEAD_BYTES
                yield _Entry(
                    member.name,
                    member.isdir(),
                    size,
                    opened.extractfile(member) if plain and member.isreg() else None,
                    None if plain else "is a link or a device",
                )
            counted.drain()
            end = opened.offset
        if counted.last_nonzero > end or counted.position - end < _TAR_BLOCK:
            raise ArchiveError("It is cut or damaged: it has no end mark.")


class _Counted:
    """A stream that knows where it is, and refuses to inflate more than was announced.

    It remembers the end of the last byte that was not zero, because zeros after the
    last member are what ends a tar file.
    """

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self.position = 0
        self.last_nonzero = 0
        self.allowed = _OVERHEAD_BYTES

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        significant = len(piece.rstrip(b"\0"))
        if significant:
            self.last_nonzero = self.position + significant
        self.position += len(piece)
        if self.position > self.allowed:
            raise ArchiveError("It has more bytes between its entries than is sane.")
        return piece

    def drain(self) -> None:
        """Reads to the end, which is where gzip keeps its checksum."""
        while self.read(_PIECE_BYTES):
            pass


@contextlib.contextmanager
def _damage_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{archive.name} was refused. {error}") from error
    except _DAMAGE as error:
        raise ArchiveError(
            f"{archive.name} is cut, damaged or no archive: {error}."
        ) from error
    except OSError as error:
        if error.errno not in _NAME_ERRORS:
            raise
        raise ArchiveError(
            f"{archive.name} was refused. The names of its entries cannot be written"
            f" together ({error.strerror})."
        ) from error
