"""The chosen examples of a run: `gallery.json`, and the pictures in `gallery/`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE_NAME, FOLDER = "gallery.json", "gallery"
# Thumbnails are some kilobytes. A larger file is another one of that name.
_MOST_BYTES = 200_000
_JPEG = b"\xff\xd8"


@dataclasses.dataclass(frozen=True)
class Example:
    """An example with what there is to see of it.

    `roles` are `mistake`, `pair`, `typical` or `sample`. An image has a `picture` and
    maybe a `heat` picture, both JPEG; a text its beginning; and a series some of its
    steps, `[channels][steps]`. A `lost` one had a picture that is not there any more.
    Samples of training have no prediction.
    """

    roles: tuple[str, ...]
    split: str
    row: int
    name: str
    label: str
    predicted: str | None
    confidence: float | None
    picture: bytes | None
    heat: bytes | None
    text: str | None
    series: Sequence[Sequence[float]] | None
    lost: bool

    @property
    def key(self) -> str:
        """A name for the example that no other one of the page has."""
        return f"{self.split}-{self.row}"


@dataclasses.dataclass(frozen=True)
class Gallery:
    """The chosen examples of a run, in the order of the file."""

    modality: str
    examples: tuple[Example, ...]

    def having(self, role: str) -> list[Example]:
        """The examples with a role."""
        return [example for example in self.examples if role in example.roles]


def gallery_of(values: Mapping[str, Any], run: Path) -> Gallery:
    """The gallery of a run folder from the values of its `gallery.json`.

    Raises:
        KeyError, TypeError: if the values are not such a file's.
    """
    return Gallery(
        values["modality"],
        tuple(_example(entry, run / FOLDER) for entry in values["examples"]),
    )


def _example(entry: Mapping[str, Any], folder: Path) -> Example:
    picture = _picture(entry.get("picture"), folder)
    return Example(
        roles=tuple(entry["roles"]),
        split=str(entry["split"]),
        row=int(entry["row"]),
        name=str(entry["name"]),
        label=str(entry["label"]),
        predicted=entry.get("predicted"),
        confidence=entry.get("confidence"),
        picture=picture,
        heat=_picture(entry.get("heat"), folder) if picture else None,
        text=entry.get("text"),
        series=entry.get("series"),
        lost=picture is None and "text" not in entry and "series" not in entry,
    )


def _picture(name: str | None, folder: Path) -> bytes | None:
    """The JPEG of this name in the folder, and nothing from outside of it."""
    if name is None or Path(name).name != name:
        return None
    path = folder / name
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    return content if content.startswith(_JPEG) else None
