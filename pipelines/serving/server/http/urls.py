"""URLs of models and what they ask for; names are looked up, never made a path."""

from __future__ import annotations

import dataclasses
import re
import urllib.parse
from typing import Any, Literal

from pipelines.serving.server.errors import ServingError, invalid
from pipelines.serving.server.models.manager import Target

Verb = Literal[
    "predict", "classify", "regress", "status", "metadata", "infer", "model", "ready"
]
_MODEL = r"/v1/models(?:/(?P<name>[^/:]+))"
_WHICH = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(rf"{_MODEL}{_WHICH}:(?P<verb>predict|classify|regress)", re.I)
_GET = re.compile(rf"{_MODEL}?{_WHICH}(?P<verb>/metadata)?", re.I)
_V2 = r"/v2/models/(?P<name>[^/]+)(?:/versions/(?P<version>[0-9]+))?"
_V2_PATTERNS = {
    "POST": re.compile(rf"{_V2}/(?P<verb>infer)"),
    "GET": re.compile(rf"{_V2}(?:/(?P<verb>ready))?"),
}
_LARGEST_VERSION = 2**63 - 1
_SHOWN = 200


@dataclasses.dataclass(frozen=True)
class Asked:
    """A URL, read."""

    verb: Verb
    target: Target


def parse(method: str, raw_path: str) -> Asked:
    """Reads the URL of a request; `raw_path` is not decoded yet.

    Raises:
        ServingError: if the URL means nothing here.
    """
    if raw_path.startswith("/v2/"):
        return _parse_v2(method, raw_path)
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    match = pattern.fullmatch(raw_path) if pattern else None
    if match is None:
        raise _malformed(method, raw_path)
    if match["name"] is None:
        raise invalid("Missing model name in request.")
    verb: Any = (match["verb"] or "status").lower().lstrip("/")
    return Asked(
        verb,
        Target(
            _decoded(match["name"]),
            version=_version(match["version"]),
            label=_decoded(match["label"]) if match["label"] else None,
        ),
    )


def _parse_v2(method: str, raw_path: str) -> Asked:
    """Reads a URL of the Open Inference Protocol, whose letters have one case."""
    pattern = _V2_PATTERNS.get(method)
    match = pattern.fullmatch(raw_path) if pattern else None
    if match is None:
        raise _malformed(method, raw_path)
    verb: Any = match["verb"] or "model"
    return Asked(verb, Target(_decoded(match["name"]), _version(match["version"])))


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if len(text) > len(str(_LARGEST_VERSION)) or int(text) > _LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {text[:_SHOWN]} to numeric.")
    return int(text)


def _decoded(text: str) -> str:
    return urllib.parse.unquote(text, errors="replace")


def _malformed(method: str, raw_path: str) -> ServingError:
    return invalid(f"Malformed request: {method} {raw_path[:_SHOWN]}")
