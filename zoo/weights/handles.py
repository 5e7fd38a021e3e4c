"""Handles of modules, and the folders on this machine that they stand for.

A handle is the path or `file://` address of a folder or of an archive, or the http or
https address of an archive or of a page of TF Hub. `#sha256=HEX` behind an archive, as
pip has it, says which one it must be.
"""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
import urllib.request
from pathlib import Path

from zoo.errors import BackboneError
from zoo.storage import fetch
from zoo.storage.hashing import hash_file
from zoo.storage.home import expanded

_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_WEB = ("http", "https")
_PIN = "#sha256="
_SHA256 = re.compile(r"[0-9a-f]{64}")
# https://github.com/tensorflow/hub/blob/master/docs/hosting.md: the page of a module,
# asked in this way, is its archive.
_FORMAT, _COMPRESSED = "tf-hub-format", "compressed"


def resolve_handle(
    handle: str | Path,
    *,
    offline: bool | None = None,
    allow_unpinned: bool | None = None,
) -> Path:
    """The folder of a module, absolute; an archive is brought into the store first.

    An archive on this machine is unpacked once for each content. With its sha256 it is
    found again also when the archive itself is gone. An address without one is fetched
    with `allow_unpinned` only; see `zoo.storage.fetch.file`.

    Raises:
        OfflineError, UnpinnedError, DownloadError, ArchiveError, StoreError: if it
            is not available.
        BackboneError: if the folder does not exist, or the handle is of another kind.
    """
    parts = _parse(handle)
    if parts.url:
        return fetch.module(
            _archive_address(parts.url),
            sha256=parts.sha256,
            offline=offline,
            allow_unpinned=allow_unpinned,
            label=parts.url.partition("?")[0],
        )
    if parts.is_archive:
        return fetch.unpacked(parts.path, sha256=parts.sha256)
    if not parts.path.is_dir():
        raise BackboneError(
            f"The handle {handle} is not a folder on this machine ({parts.path}). Give"
            f" the path of a folder with a saved_model.pb, or of an archive"
            f" ({', '.join(_ARCHIVES)}), or an address that begins with https://."
        )
    return parts.path


def find_module(handle: str | Path) -> Path | None:
    """The path of a module or its archive on this machine, if any; not verified."""
    parts = _parse(handle)
    if parts.url:
        return fetch.module_at_hand(_archive_address(parts.url), sha256=parts.sha256)
    return parts.path if parts.path.exists() else None


def lasting_handle(handle: str | Path) -> str:
    """A handle of the same module that means it in every folder, and later too.

    Paths become absolute, and archives on this machine get their sha256.
    """
    parts = _parse(handle)
    if parts.url:
        return str(handle)
    sha256 = parts.sha256
    if parts.is_archive and parts.path.is_file():
        sha256 = sha256 or hash_file(parts.path, "sha256")
    return f"{parts.path}{_PIN}{sha256}" if sha256 else str(parts.path)


def is_web_address(text: str) -> bool:
    """True for a handle that has to be fetched."""
    return urllib.parse.urlsplit(text).scheme in _WEB and "://" in text


def is_unpinned(handle: str) -> bool:
    """True for an address that does not pin the archive that must come from it."""
    return is_web_address(handle) and _parse(handle).sha256 is None


@dataclasses.dataclass(frozen=True)
class _Parts:
    """A handle in its parts; `path` is the one on this machine where `url` is empty."""

    path: Path
    url: str
    sha256: str | None

    @property
    def is_archive(self) -> bool:
        return self.path.name.endswith(_ARCHIVES)


def _parse(handle: str | Path) -> _Parts:
    location, pin, digest = str(handle).partition(_PIN)
    sha256 = digest.lower() if pin else None
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise BackboneError(
            f"The handle {handle} ends in '{_PIN}{digest}'; expected the 64 hexadecimal"
            " digits that sha256sum prints for the archive."
        )
    parts = urllib.parse.urlsplit(location)
    if is_web_address(location):
        return _Parts(Path(parts.path), location, sha256)
    local = _Parts(_local_path(location, parts), "", sha256)
    if sha256 and not local.is_archive:
        raise BackboneError(
            f"The handle {handle} has a sha256, but {local.path} is not an archive"
            f" ({', '.join(_ARCHIVES)}). Leave out '{_PIN}...'."
        )
    return local


def _local_path(location: str, parts: urllib.parse.SplitResult) -> Path:
    is_address = "://" in location
    if is_address and parts.scheme != "file":
        raise BackboneError(
            f"The handle {location} cannot be opened: '{parts.scheme}' is not one of"
            f" {', '.join(_WEB)} and file. Fetch it with its own program, and give the"
            " path of the folder."
        )
    if is_address and parts.netloc not in ("", "localhost"):
        raise BackboneError(
            f"The handle {location} names the machine '{parts.netloc}'. A file on this"
            f" machine has three slashes: file:///{parts.netloc}{parts.path}"
        )
    local = urllib.request.url2pathname(parts.path) if is_address else location
    return expanded(local).absolute()


def _archive_address(url: str) -> str:
    """The address of the archive of a module: of its page, with a question behind."""
    parts = urllib.parse.urlsplit(url)
    asked = urllib.parse.parse_qs(parts.query)
    if parts.path.endswith(_ARCHIVES) or _FORMAT in asked:
        return url
    question = urllib.parse.urlencode({_FORMAT: _COMPRESSED})
    query = "&".join(filter(None, (parts.query, question)))
    return urllib.parse.urlunsplit(parts._replace(query=query))
