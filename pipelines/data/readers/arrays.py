"""`npz:` - images, texts or series, and labels, as arrays in one NumPy file."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.data.blanks import Blanks
from pipelines.data.names import choices
from pipelines.data.spelling import (
    Classes,
    declared_names,
    index_classes,
    index_declared,
    normal_all,
)
from pipelines.data.split_names import split_name
from pipelines.data.splits import (
    EncodedImages,
    Examples,
    ImageArray,
    Inputs,
    Series,
    Texts,
)
from pipelines.data.targets.arrays import NumberLabels, number_labels
from pipelines.data.targets.choice import SINGLE_LABEL
from pipelines.data.weights import checked_weights
from pipelines.display.text import PLURALS, is_blank
from pipelines.errors import DataError
from zoo.storage.home import expanded

# What reading holds is in memory twice: series in splits are copies, for instance.
MEMORY_SHARE = 0.5
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_ARRAYS = ("x", "y", "group", "split", "sample_weight", "class_names")


def read(
    location: str, *, on_bad: str = "fail", problem: str = SINGLE_LABEL
) -> Examples:
    """The examples of an npz file, in the order of its arrays.

    `x` is images, uint8 `[n, h, w]`, `[n, h, w, 1]` or `[n, h, w, 3]`; texts, strings
    `[n]`; or series, floats `[n, steps]` or `[n, steps, channels]`. `y` is `[n]`, whole
    numbers or strings; or numbers for labels of the kind `problem`. Optional: `group`
    and `split` `[n]`, `sample_weight` numbers `[n]`, `class_names` `[classes]`.
    Blank texts are refused, or left out if `on_bad` is `skip`.

    Raises:
        DataError: if the file or one of its arrays is missing or of another kind.
    """
    path = expanded(location).absolute()
    return examples_of(_load(path), str(path), on_bad=on_bad, problem=problem)


def examples_of(
    arrays: Mapping[str, Any],
    path: str,
    *,
    on_bad: str = "fail",
    problem: str = SINGLE_LABEL,
    names: Sequence[str] | None = None,
) -> Examples:
    """The examples of arrays with the names and contents that `read` describes.

    `path` says in messages where they come from. `x` may be encoded images too, and
    `names` are those of the examples.

    Raises:
        DataError: if one is of another kind or length.
    """
    x, y = arrays["x"], arrays["y"]
    blanks = Blanks(on_bad, path)
    inputs = _inputs(x, path, blanks)
    numbers = _numbers(arrays, path, problem)
    for name in ("y", "group", "split", "sample_weight"):
        is_wide = name == "y" and numbers is not None
        expected = (len(x), *y.shape[1:]) if is_wide else (len(x),)
        if name in arrays and arrays[name].shape != expected:
            raise DataError(
                f"{name} in {path} has shape {arrays[name].shape}; it needs one value "
                f"for each of the {len(x)} {PLURALS[inputs.modality]} in x, shape "
                f"({len(x)},)."
            )
    classes = numbers or _classes(y, arrays.get("class_names"), path)
    if names is None:
        names = tuple(f"{inputs.modality} {i}" for i in range(len(x)))
    return blanks.taken_out(
        Examples(
            inputs=inputs,
            names=names,
            labels=classes.labels,
            class_names=classes.names,
            groups=_groups(arrays["group"], path) if "group" in arrays else None,
            splits=_splits(arrays["split"], path) if "split" in arrays else None,
            notes=classes.notes,
            problem=numbers.problem if numbers else SINGLE_LABEL,
            weights=_weights(arrays, names, path),
        )
    )


def _weights(
    arrays: Mapping[str, np.ndarray], names: Sequence[str], path: str
) -> np.ndarray | None:
    values = arrays.get("sample_weight")
    if values is None:
        return None
    if values.dtype.kind not in "iuf":
        raise DataError(
            f"sample_weight in {path} is {values.dtype}; it needs a number for each"
            " example."
        )
    return checked_weights(values, names, where=f"sample_weight in {path}")


def _numbers(
    arrays: Mapping[str, np.ndarray], path: str, problem: str
) -> NumberLabels | None:
    """The labels if they are numbers and not classes."""
    if problem == SINGLE_LABEL and arrays["y"].ndim == 1:
        return None
    declared = arrays.get("class_names")
    names = None if declared is None else _texts(declared.ravel(), "class_names", path)
    return number_labels(arrays["y"], names, where=path, problem=problem)


def machine_memory_bytes() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


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
    """Refuses arrays that would fill the memory, before any is allocated."""
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
            stated = math.prod(shape) * dtype.itemsize
            held = member.file_size - stream.tell()
        if stated != held and not dtype.hasobject:
            raise DataError(
                f"{member.filename} in {path} claims {stated} bytes of numbers, and"
                f" the file holds {held}. It is damaged, or meant to do harm."
            )
        total += member.file_size
    memory = machine_memory_bytes()
    if total > memory * MEMORY_SHARE:
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


def _inputs(x: np.ndarray | EncodedImages, path: str, blanks: Blanks) -> Inputs:
    if not isinstance(x, np.ndarray):
        return x
    if x.dtype.kind in "US":
        return _read_texts(x, path, blanks)
    if x.dtype.kind == "f" and x.ndim in (2, 3):
        return _read_series(x, path)
    _check_pixels(x, path)
    return ImageArray(rgb(x))


def _read_texts(x: np.ndarray, path: str, blanks: Blanks) -> Texts:
    if x.ndim != 1:
        raise DataError(f"x in {path} has shape {x.shape}; texts are [n].")
    texts = np.empty(len(x), object)
    for i, text in enumerate(x.tolist()):
        try:
            texts[i] = text if isinstance(text, bytes) else text.encode()
            if is_blank(texts[i].decode()):
                blanks.add(i, f"text {i}")
        except UnicodeError as error:
            raise DataError(
                f"Text {i} in {path} is not {_fault_of(error)}. Save texts as strings,"
                " not as bytes, and without halves of characters."
            ) from None
    return Texts(texts)


def _fault_of(error: UnicodeError) -> str:
    """The encoding that a value breaks, and the place; for messages."""
    if isinstance(error, UnicodeDecodeError):
        return f"UTF-8 ({error.reason} at byte {error.start})"
    if isinstance(error, UnicodeEncodeError):
        return f"Unicode ({error.reason} at character {error.start})"
    return f"text ({error})"


def _read_series(x: np.ndarray, path: str) -> Series:
    if 0 in x.shape:
        raise DataError(f"x in {path} has shape {x.shape} and so holds no number.")
    with np.errstate(over="ignore"):
        values = x.astype(np.float32)
    axes = tuple(range(1, x.ndim))
    infinite = np.flatnonzero(np.isinf(values).any(axis=axes))
    if len(infinite):
        raise DataError(
            f"Series {infinite[0]} in {path} has a value that is infinite or too large"
            f" for float32 ({len(infinite)} series in all). Correct it, make it NaN if"
            " it is missing, or take them out."
        )
    blank = np.flatnonzero(np.isnan(values).all(axis=axes))
    if len(blank):
        raise DataError(
            f"Series {blank[0]} in {path} has no value ({len(blank)} series in all)."
            " Take them out."
        )
    return Series(values if values.ndim == 3 else values[..., np.newaxis])


def _check_pixels(x: np.ndarray, path: str) -> None:
    if 0 in x.shape:
        raise DataError(f"x in {path} has shape {x.shape} and so holds no pixel.")
    if x.dtype != np.uint8:
        raise DataError(
            f"x in {path} is {x.dtype}; images are uint8, 0..255, and series are"
            f" floats. {advice(x)}"
        )
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)):
        raise DataError(
            f"x in {path} has shape {x.shape}; images are [n, h, w], [n, h, w, 1] or "
            f"[n, h, w, 3].{_for_rows_of_numbers(x)}"
        )


def advice(x: np.ndarray) -> str:
    """Advice on how to turn numbers into images or series, by kind and range."""
    sentences = []
    if x.ndim in (3, 4):
        sentences.append(f"For images, save {as_pixels(x)}.")
    if x.ndim in (2, 3):
        sentences.append("For series, save x.astype('float32').")
    if not sentences:
        return f"Its shape {x.shape} fits neither images nor series."
    return " ".join(sentences) + _for_rows_of_numbers(x)


def as_pixels(x: np.ndarray) -> str:
    """The Python expression that makes pixels of numbers other than uint8."""
    if x.dtype.kind not in "iufb":
        return "numbers"
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    if not math.isfinite(low) or not math.isfinite(high) or np.isnan(x).any():
        return "finite numbers only, from 0 to 255, as uint8"
    if low >= 0 and high <= 1:
        return "(x * 255).round().astype('uint8') if the values are 0..1"
    if low >= 0 and high <= 255:
        rounded = "x" if x.dtype.kind in "iu" else "x.round()"
        return f"{rounded}.astype('uint8') if the values are 0..255"
    if x.dtype.kind == "f" and low >= -1 and high <= 1:
        return "((x + 1) * 127.5).round().astype('uint8') if the values are -1..1"
    scaled = f"(x - {low})" if low else "x"
    scale = f"({scaled} / {high - low or 1.0} * 255).round().astype('uint8')"
    return f"{scale} if the values are {low:g}..{high:g}"


def _for_rows_of_numbers(x: np.ndarray) -> str:
    """Advice on `[n, numbers]`, which may be flattened images."""
    if x.ndim != 2:
        return ""
    series = " For series, save x.astype('float32')." if x.dtype == np.uint8 else ""
    return (
        f"{series} If each row is an image, save x.reshape(n, h, w), as uint8 from 0 to"
        " 255."
    )


def _classes(y: np.ndarray, declared: np.ndarray | None, path: str) -> Classes:
    if declared is None:
        values, labels = np.unique(y, return_inverse=True)
        names = _texts(values, "y", path)
        if y.dtype.kind in "iu":
            return Classes(labels.astype(np.int64), names)  # by value: 2 before 10
        return index_classes([names[i] for i in labels])
    class_names = _texts(declared.ravel(), "class_names", path)
    where = f"class_names in {path}"
    if y.dtype.kind in "iu":
        spelt = declared_names(class_names, where=where)
        return Classes(_indices(y, len(spelt), path), spelt)
    texts = _texts(y, "y", path)
    known = declared_names(class_names, where=where)
    for text in sorted(set(normal_all(texts)) - set(known)):
        raise DataError(
            f"y in {path} has {text!r}, which class_names lacks. "
            + choices(text, known)
        )
    return index_declared(texts, class_names, where=where)


def _indices(y: np.ndarray, classes: int, path: str) -> np.ndarray:
    if y.min() < 0 or y.max() >= classes:
        raise DataError(
            f"y in {path} goes from {y.min()} to {y.max()}; with {classes} class_names "
            f"it may go from 0 to {classes - 1}."
        )
    return y.astype(np.int64)


def _splits(split: np.ndarray, path: str) -> tuple[str, ...]:
    texts = _texts(split, "split", path)
    return tuple(split_name(text, where=path) for text in texts)


def _groups(values: np.ndarray, path: str) -> list[str]:
    groups = list(normal_all(_texts(values, "group", path)))
    for i, group in enumerate(groups):
        if is_blank(group):
            raise DataError(
                f"group in {path} is blank for example {i}. Give its group; an example"
                " that is alone has a group of its own."
            )
    return groups


def _texts(values: np.ndarray, name: str, path: str) -> tuple[str, ...]:
    if values.dtype.kind not in "iuUS":
        raise DataError(
            f"{name} in {path} is {values.dtype}; it needs whole numbers or strings."
        )
    texts: list[str] = []
    for value in values.tolist():
        try:
            text = value.decode() if isinstance(value, bytes) else str(value)
            text.encode()
        except UnicodeError as error:
            raise DataError(
                f"{name} in {path} has a value that is not {_fault_of(error)}. Save"
                " strings, and not bytes."
            ) from None
        texts.append(text)
    return tuple(texts)
