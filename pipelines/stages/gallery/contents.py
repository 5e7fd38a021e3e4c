"""Examples as small files: thumbnails, beginnings of texts, steps of series."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.data.images.thumbnails import as_jpeg, thumbnail
from pipelines.data.sounds.samples import envelope
from pipelines.data.splits import Inputs, Series, Sounds, Table, Texts
from pipelines.data.tables.rows import row_of
from pipelines.display.text import shortened

_THUMBNAIL_PX, _QUALITY = 96, 70
_HEAT_COLOUR, _HEAT_SHARE = (255, 90, 0), 0.65
_CHARACTERS, _STEPS, _CHANNELS = 280, 96, 3


def write_content(
    folder: Path, inputs: Inputs, row: int, stem: str
) -> Mapping[str, Any]:
    """The entry of an example: `text`, `series`, or the name of a `picture`.

    A picture is written to the folder. An image that broke since has none.
    """
    if isinstance(inputs, Texts):
        text = inputs.values[row].decode("utf-8", errors="replace")
        return {"text": shortened(text, _CHARACTERS)}
    if isinstance(inputs, Table):
        cells = (f"{name}: {_cell(x)}" for name, x in row_of(inputs, row).items())
        return {"text": shortened(", ".join(cells), _CHARACTERS)}
    if isinstance(inputs, Sounds):
        outline = envelope(
            inputs.values[row],
            rate_hz=inputs.rate_hz,
            length_ms=inputs.length_ms,
            points=_STEPS,
        )
        return {"series": [outline]}
    if isinstance(inputs, Series):
        steps = np.linspace(0, inputs.values.shape[1] - 1, _STEPS).round().astype(int)
        values = inputs.values[row, np.unique(steps), :_CHANNELS].T
        return {"series": [[float(f"{x:.4g}") for x in line] for line in values]}
    picture = thumbnail(inputs, row, size_px=_THUMBNAIL_PX)
    if picture is None:
        return {}
    (folder / f"{stem}.jpg").write_bytes(as_jpeg(picture, quality=_QUALITY))
    return {"picture": f"{stem}.jpg"}


def _cell(value: float | str | None) -> str:
    if value is None:
        return "missing"
    return value if isinstance(value, str) else f"{value:.6g}"


def write_heat(folder: Path, picture: str, heat: np.ndarray) -> str:
    """Writes a picture with its heat, float `[height, width]` in [0, 1].

    Returns the name of the new file.
    """
    name = picture.replace(".jpg", "_heat.jpg")
    with Image.open(folder / picture) as plain:
        warm = _overlay(plain.convert("RGB"), heat)
    (folder / name).write_bytes(as_jpeg(warm, quality=_QUALITY))
    return name


def _overlay(picture: Image.Image, heat: np.ndarray) -> Image.Image:
    """The picture, in orange where the heat `[height, width]` is great."""
    mask = Image.fromarray(np.uint8(np.rint(255 * _HEAT_SHARE * heat)))
    mask = mask.resize(picture.size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", picture.size, _HEAT_COLOUR), picture, mask)
