"""The files of `zoo suggest`: a table, a page with pictures, tasks for Label Studio."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from pipelines.batch.rows import cells
from pipelines.data.images.thumbnails import as_text, thumbnail
from pipelines.data.packed_strings import Strings
from pipelines.data.splits import ImageFiles
from pipelines.display.html import document
from pipelines.errors import ConfigError
from pipelines.runtime.files import write_files
from pipelines.suggestions import label_studio
from pipelines.suggestions.label_studio import Labels
from pipelines.suggestions.suggest import Suggestion, Suggestions
from zoo.storage import durable

TABLE, PAGE = "suggestions.csv", "suggestions.html"
TASKS, INTERFACE = "label_studio.json", "label_studio.xml"
# Bounds that keep a page below some megabytes.
_PICTURES, _SIZE_PX, _QUALITY = 400, 144, 70
_TEXT = 400


def write(suggestions: Suggestions, folder: Path, *, prefix: str) -> list[Path]:
    """Writes all files into a folder, which is made, and gives their paths.

    Raises:
        ConfigError: if the folder cannot be written.
    """
    contents = {
        TABLE: _table(suggestions),
        PAGE: page(suggestions),
        TASKS: label_studio.tasks(suggestions, prefix=prefix),
        INTERFACE: label_studio.interface(suggestions),
    }
    return write_files(folder, contents)


def write_labels(labels: Labels, path: Path) -> None:
    """Writes labels as a table to train on: `csv:PATH?image=file&label=label`.

    Texts have the column `text` in place of `file`.

    Raises:
        ConfigError: if the file cannot be written.
    """
    rows = [cells([labels.column, "label"]), *map(cells, labels.labels.items())]
    try:
        durable.write_whole(path, ["".join(rows).encode()])
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}.") from error


def _table(suggestions: Suggestions) -> str:
    header = [field.name for field in dataclasses.fields(Suggestion)]
    rows = (dataclasses.astuple(row) for row in suggestions.rows)
    return "".join([cells(header), *map(cells, rows)])


def page(suggestions: Suggestions) -> str:
    """The page as HTML, in ASCII, with thumbnails of images and beginnings of texts."""
    return document(
        "suggestions.html",
        title=f"{len(suggestions.rows)} examples to label next",
        examples=suggestions.examples,
        labelled=suggestions.labelled,
        entries=[_entry(suggestions, i) for i in range(len(suggestions.rows))],
        invalid=list(suggestions.invalid[:20]),
        more=max(len(suggestions.invalid) - 20, 0),
    )


def _entry(suggestions: Suggestions, i: int) -> dict[str, Any]:
    row, item = suggestions.rows[i], suggestions.items[i]
    picture, text = None, None
    if item.text is not None:
        text = item.text.decode(errors="replace")[:_TEXT]
    elif suggestions.modality == "image" and i < _PICTURES and item.path:
        small = thumbnail(ImageFiles(Strings.of([item.path])), 0, size_px=_SIZE_PX)
        if small is not None:
            picture = as_text(small, quality=_QUALITY)
    return {**dataclasses.asdict(row), "picture": picture, "text": text}
