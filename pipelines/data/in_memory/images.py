"""Images in cells of a table: paths, encoded bytes, arrays, or pictures of Pillow."""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.names import listing
from pipelines.data.packed_strings import Strings
from pipelines.data.splits import EncodedImages, ImageFiles, ImageRecords
from pipelines.errors import DataError
from zoo.storage.home import expanded

_SHOWN = 10


@dataclasses.dataclass(frozen=True, eq=False)
class CellImages:
    """Images of cells, with names for messages where the cells give some."""

    images: np.ndarray | EncodedImages
    names: Sequence[str] | None = None
    keeps: tuple[Any, ...] = ()


def images_of(cells: Sequence[Any], *, where: str) -> CellImages:
    """The images that the cells of a column hold, all of one kind.

    A cell is the path of a file; encoded bytes; `{"bytes": ..., "path": ...}`, as
    Hugging Face's datasets have it; a picture of Pillow; or pixels, uint8 `[h, w]`,
    `[h, w, 1]` or `[h, w, 3]`. Encoded images are written to a temporary file, of
    which each stage reads what it needs.

    Raises:
        DataError: naming the cells that are empty, of another kind, or missing files.
    """
    cells = [_content(cell) for cell in cells]
    kinds = [_kind(cell) for cell in cells]
    other = [i for i, kind in enumerate(kinds) if kind != kinds[0]]
    if other or kinds[0] is None:
        row = next((i for i, kind in enumerate(kinds) if kind is None), None)
        row = other[0] if row is None else row
        raise DataError(
            f"Image {row} in {where} is {_in_words(cells[row])}"
            + ("" if kinds[0] is None else f", and image 0 {_in_words(cells[0])}")
            + ". All of them are paths of files, encoded bytes, arrays uint8 [h, w, 3],"
            " or pictures of Pillow."
        )
    if kinds[0] == "path":
        return _of_paths([os.fspath(cell) for cell in cells], where)
    if kinds[0] == "array":
        return CellImages(_stacked(cells, where))
    if kinds[0] == "picture":
        return _written((_png(cell) for cell in cells), where)
    return _written(cells, where)


def _content(cell: Any) -> Any:
    """The bytes, or else the path, of a cell that holds both."""
    if isinstance(cell, dict) and set(cell) <= {"bytes", "path"}:
        content = cell.get("bytes")
        return cell.get("path") if content is None else content
    return cell


def _kind(cell: Any) -> str | None:
    if isinstance(cell, str | os.PathLike):
        return "path"
    if isinstance(cell, bytes | bytearray):
        return "bytes"
    if isinstance(cell, np.ndarray):
        return "array"
    if hasattr(cell, "getbands") and hasattr(cell, "save"):
        return "picture"
    return None


def _in_words(cell: Any) -> str:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return "missing"
    return {"path": "a path", "bytes": "bytes", "array": "an array"}.get(
        _kind(cell) or "", f"of the type {type(cell).__name__}"
    )


def _of_paths(paths: Sequence[str], where: str) -> CellImages:
    files = Strings.of(str(expanded(path).absolute()) for path in paths)
    missing = [
        f"image {i} ({paths[i]})"
        for i, path in enumerate(files)
        if not os.path.lexists(path)
    ]
    if missing:
        raise DataError(
            f"Files in {where} are not there: {listing(missing, shown=_SHOWN)}. Paths"
            f" are relative to {Path.cwd()}."
        )
    if repeats := files.repeats():
        twice = [f"images {first} and {i}" for first, i in repeats]
        raise DataError(
            f"Files in {where} are there twice: {listing(twice, shown=_SHOWN)}. Keep"
            " one row for each image."
        )
    return CellImages(ImageFiles(files), names=list(paths))


def _stacked(cells: Sequence[np.ndarray], where: str) -> np.ndarray:
    shapes = {cell.shape for cell in cells}
    if len(shapes) > 1:
        raise DataError(
            f"Images in {where} have {len(shapes)} sizes, as"
            f" {listing(map(str, sorted(shapes)), shown=3)}. Bring the arrays to one"
            " size; or pass files or encoded bytes, which may have any."
        )
    return np.stack(cells)


def _png(picture: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")  # which loses nothing
    return stream.getvalue()


def _written(contents: Iterable[bytes], where: str) -> CellImages:
    """The encoded images in one temporary file, which is gone with the process."""
    folder = tempfile.TemporaryDirectory(prefix="zootune_")
    path = Path(folder.name) / "images"
    lengths = []
    try:
        with path.open("wb") as stream:
            for content in contents:
                lengths.append(stream.write(content))
    except OSError as error:
        raise DataError(
            f"The images of {where} cannot be written to {path}: {error.strerror}. Make"
            " room there, or name another place in the environment as TMPDIR."
        ) from None
    length = np.array(lengths, np.int64)
    every = np.arange(len(length))
    images = ImageRecords(
        (str(path),), np.zeros_like(every), every, np.cumsum(length) - length, length
    )
    return CellImages(images, keeps=(folder,))
