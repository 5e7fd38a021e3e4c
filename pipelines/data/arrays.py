"""`npz:` - images, texts or series, and labels, as arrays in one NumPy file."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np

from pipelines.data.names import choices, index_classes, split_name
from pipelines.data.printable import PLURALS
from pipelines.data.splits import Examples, ImageArray, Series, Texts
from pipelines.errors import DataError
from zoo.home import expanded

# Splits are copies of the arrays, so they are in memory twice.
_MEMORY_SHARE = 0.5
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ARRAYS = ("x", "y", "group", "split", "class_names")


def read(location: str) -> Examples:
    """The examples of an npz file, in the order of its arrays.

    `x` is images, uint8 `[n, h, w]`, `[n, h, w, 1]` or `[n, h, w, 3]`; texts, strings
    `[n]`; or series, floats `[n, steps]` or `[n, steps, channels]`. `y` is `[n]`, whole
    numbers or strings. Optional: `group` and `split` `[n]`, `class_names` `[classes]`.

    Raises:
        DataError: if the file or one of its arrays is missing or of another kind.
    """
    path = expanded(location).absolute()
    arrays = _load(path)
    x, y = arrays["x"], arrays["y"]
    inputs = _inputs(x, path)
    for name in ("y", "group", "split"):
        if name in arrays and arrays[name].shape != (len(x),):
            raise DataError(
                f"{name} in {path} has shape {arrays[name].shape}; it needs one value "
                f"for each of the {len(x)} {PLURALS[inputs.modality]} in x, shape "
                f"({len(x)},)."
            )
    labels, class_names = _classes(y, arrays.get("class_names"), path)
    return Examples(
        inputs=inputs,
        names=tuple(f"{inputs.modality} {i}" for i in range(len(x))),
        labels=labels,
        class_names=class_names,
        groups=_texts(arrays["group"], "group", path) if "group" in arrays else None,
        given=_given(arrays["split"], path) if "split" in arrays else None,
    )


def rgb(pixels: np.ndarray) -> np.ndarray:
    """Grey images `[n, h, w]` or `[n, h, w, 1]` in three channels; colour as is."""
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path after 'npz:'.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            unknown = [name for name in archive.files if name not in _ARRAYS]
            missing = [name for name in ("x", "y") if name not in archive.files]
            if unknown or missing:
                raise DataError(_refusal(path, unknown=unknown, missing=missing))
            _require_honest_sizes(archive.zip, path)
            return {name: archive[name] for name in archive.files}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as an npz file ({error}). Write it with "
            "np.savez(path, x=..., y=...), without arrays of Python objects."
        ) from None


def _require_honest_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuses what would fill the memory, before any of it is allocated."""
    total = 0
    for member in archive.infolist():
        with archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            read_header = _HEADERS.get(version)
            if read_header is None:
                raise ValueError(
                    f"{member.filename} is of the unknown version {version}"
                )
            shape, _, dtype = read_header(stream)
            claimed = math.prod(shape) * dtype.itemsize
            held = member.file_size - stream.tell()
        if claimed != held and not dtype.hasobject:
            raise DataError(
                f"{member.filename} in {path} claims {claimed} bytes of numbers, and"
                f" the file holds {held}. It is damaged, or meant to do harm."
            )
        total += member.file_size
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if total > memory * _MEMORY_SHARE:
        raise DataError(
            f"{path} unpacks to {total / 1e9:.1f} GB, which is more than half of this"
            f" machine's memory ({memory / 1e9:.1f} GB). Save the images as files, for"
            " 'dir:', or as records, for 'tfrecord:': those stay on disk."
        )


def _refusal(path: Path, *, unknown: list[str], missing: list[str]) -> str:
    if missing:
        return (
            f"{path} has no array {missing[0]!r}. It needs x (examples) and y (labels)."
        )
    return f"Unknown array {unknown[0]!r} in {path}. {choices(unknown[0], _ARRAYS)}"


def _inputs(x: np.ndarray, path: Path) -> ImageArray | Texts | Series:
    if x.dtype.kind in "US":
        return _read_texts(x, path)
    if x.dtype.kind == "f" and x.ndim in (2, 3):
        return _read_series(x, path)
    _check_pixels(x, path)
    return ImageArray(rgb(x))


def _read_texts(x: np.ndarray, path: Path) -> Texts:
    if x.ndim != 1:
        raise DataError(f"x in {path} has shape {x.shape}; texts are [n].")
    found = np.empty(len(x), object)
    for i, text in enumerate(x.tolist()):
        found[i] = text if isinstance(text, bytes) else text.encode()
        if not found[i].strip():
            raise DataError(f"Text {i} in {path} is empty. Take it out, with its y.")
        try:
            found[i].decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"Text {i} in {path} is not UTF-8 ({error.reason} at byte"
                f" {error.start}). Save texts as strings, not as bytes."
            ) from None
    return Texts(found)


def _read_series(x: np.ndarray, path: Path) -> Series:
    if 0 in x.shape:
        raise DataError(f"x in {path} has shape {x.shape} and so holds no number.")
    with np.errstate(over="ignore"):
        values = x.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, x.ndim))))
    if len(bad):
        raise DataError(
            f"Series {bad[0]} in {path} has a value that is missing, infinite or too"
            f" large for float32 ({len(bad)} series in all). Fill it in, or take them"
            " out."
        )
    return Series(values if values.ndim == 3 else values[..., np.newaxis])


def _check_pixels(x: np.ndarray, path: Path) -> None:
    if x.dtype != np.uint8:
        raise DataError(
            f"x in {path} is {x.dtype}; images are uint8, 0..255. Save "
            "x.astype('uint8') if the values are 0..255, or "
            "(x * 255).round().astype('uint8') if they are 0..1."
        )
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)):
        raise DataError(
            f"x in {path} has shape {x.shape}; images are [n, h, w], [n, h, w, 1] or "
            "[n, h, w, 3]."
        )
    if 0 in x.shape:
        raise DataError(f"x in {path} has shape {x.shape} and so holds no pixel.")


def _classes(
    y: np.ndarray, declared: np.ndarray | None, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as indices, int64 `[n]`, and the names that they index."""
    if declared is None:
        values, labels = np.unique(y, return_inverse=True)
        names = _texts(values, "y", path)
        if y.dtype.kind in "iu":
            return labels.astype(np.int64), names  # by value: 2 before 10
        return index_classes([names[i] for i in labels])
    class_names = _texts(declared.ravel(), "class_names", path)
    if len(set(class_names)) < len(class_names):
        raise DataError(f"class_names in {path} says a name twice. Keep one of each.")
    if y.dtype.kind in "iu":
        return _indices(y, len(class_names), path), class_names
    known = {name: i for i, name in enumerate(class_names)}
    texts = _texts(y, "y", path)
    for text in texts:
        if text not in known:
            raise DataError(
                f"y in {path} has {text!r}, which class_names lacks. "
                + choices(text, class_names)
            )
    return np.array([known[text] for text in texts], np.int64), class_names


def _indices(y: np.ndarray, classes: int, path: Path) -> np.ndarray:
    if y.min() < 0 or y.max() >= classes:
        raise DataError(
            f"y in {path} goes from {y.min()} to {y.max()}; with {classes} class_names "
            f"it may go from 0 to {classes - 1}."
        )
    return y.astype(np.int64)


def _given(split: np.ndarray, path: Path) -> tuple[str, ...]:
    texts = _texts(split, "split", path)
    return tuple(split_name(text, where=str(path)) for text in texts)


def _texts(values: np.ndarray, name: str, path: Path) -> tuple[str, ...]:
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind not in "iuU":
        raise DataError(
            f"{name} in {path} is {values.dtype}; it needs whole numbers or strings."
        )
    return tuple(str(value) for value in values)
