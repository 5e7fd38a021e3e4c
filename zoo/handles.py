"""Handles of modules, and the folders on this machine that they stand for."""

from __future__ import annotations

import urllib.parse
import urllib.request
from pathlib import Path

from zoo.errors import BackboneError

_ARCHIVES = (".tar", ".tar.gz", ".tgz")


def resolve_handle(handle: str | Path) -> Path:
    """The folder of a module, absolute.

    `handle` is the path of a folder, or its `file://` address.

    Raises:
        BackboneError: if there is no such folder, or if the handle is of another kind.
    """
    parts = urllib.parse.urlsplit(str(handle))
    is_address = "://" in str(handle)
    if is_address and parts.scheme != "file":
        raise BackboneError(
            f"The handle {handle} has to be downloaded, which is not built yet. Fetch"
            " and unpack it, and give the path of the folder."
        )
    if is_address and parts.netloc not in ("", "localhost"):
        raise BackboneError(
            f"The handle {handle} names the machine '{parts.netloc}'. A file on this"
            f" machine has three slashes: file:///{parts.netloc}{parts.path}"
        )
    local = urllib.request.url2pathname(parts.path) if is_address else str(handle)
    path = Path(local).expanduser().absolute()
    if path.name.endswith(_ARCHIVES):
        raise BackboneError(
            f"The handle {handle} is an archive, which is not read yet. Unpack it, and"
            " give the path of the folder."
        )
    if not path.is_dir():
        raise BackboneError(
            f"The handle {handle} is no folder on this machine ({path}). Give the path"
            " of a folder with a saved_model.pb."
        )
    return path
