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
            cannot be had.
        BackboneError: if there is no such folder, or if the handle is of another kind.
    """
    given = _parse(handle)
    if given.url:
        return fetch.module(
            _archive_address(given.url),
            sha256=given.sha256,
            offline=offline,
            allow_unpinned=allow_unpinned,
            label=given.url.partition("?")[0],
        )
    if given.is_archive:
        return fetch.unpacked(given.path, sha256=given.sha256)
    if not given.path.is_dir():
        raise BackboneError(
            f"The handle {handle} is no folder on this machine ({given.path}). Give the"
            f" path of a folder with a saved_model.pb, or of an archive"
            f" ({', '.join(_ARCHIVES)}), or an address that begins with https://."
        )
    return given.path


def find_module(handle: str | Path) -> Path | None:
    """Where a module or its archive lies on this machine, if it does, unverified."""
    given = _parse(handle)
    if given.url:
        return fetch.module_at_hand(_archive_address(given.url), sha256=given.sha256)
    return given.path if given.path.exists() else None


def lasting_handle(handle: str | Path) -> str:
    """A handle of the same module that means it in every folder, and later too.

    Paths become absolute, and archives on this machine get their sha256.
    """
    given = _parse(handle)
    if given.url:
        return str(handle)
    sha256 = given.sha256
    if given.is_archive and given.path.is_file():
        sha256 = sha256 or hash_file(given.path, "sha256")
    return f"{given.path}{_PIN}{sha256}" if sha256 else str(given.path)


def is_web_address(text: str) -> bool:
    """Whether it is a handle of what has to be fetched."""
    return urllib.parse.urlsplit(text).scheme in _WEB and "://" in text


def is_unpinned(handle: str) -> bool:
    """Whether it is an address that does not say which archive must come from it."""
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
    given = _Parts(_local_path(location, parts), "", sha256)
    if sha256 and not given.is_archive:
        raise BackboneError(
            f"The handle {handle} has a sha256, but {given.path} is no archive"
            f" ({', '.join(_ARCHIVES)}). Leave out '{_PIN}...'."
        )
    return given


def _local_path(location: str, parts: urllib.parse.SplitResult) -> Path:
    is_address = "://" in location
    if is_address and parts.scheme != "file":
        raise BackboneError(
            f"The handle {location} cannot be opened: '{parts.scheme}' is none of"
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
