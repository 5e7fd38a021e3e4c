"""Examples that a caller passes, as a signature takes them, or refused in words.

The same for a model in this process and for one behind a server, so that all ways give
the same answer. Numbers are never cast to what they are not. Imports no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError, DataError
from pipelines.serving.examples.images import image_bytes
from pipelines.serving.examples.rows import table_row
from pipelines.serving.examples.sounds import sound_bytes
from pipelines.serving.examples.values import is_pillow, plain, shape_text, type_name

IMAGE, TEXT, SERIES, TABLE = "image_bytes", "text", "series", "table"
SOUND = "sound_bytes"
_WORDS = {
    IMAGE: "image",
    TEXT: "text",
    SERIES: "series",
    SOUND: "sound",
    TABLE: "row",
}
_SHOWN = 80


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """The input of a signature: its name, its type, and the shape of one example.

    A table has an input for each of its `columns`, pairs of a name and a type.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_table(cls, columns: Mapping[str, str]) -> InputSpec:
        """The input of a table with columns of these types, by name."""
        return cls(TABLE, "", (len(columns),), tuple(columns.items()))

    @property
    def word(self) -> str:
        """The word for one example."""
        return _WORDS.get(self.name, "example")


def as_list(examples: Any, word: str = "example") -> list[Any]:
    """Several examples in a list.

    Raises:
        DataError: for a single example, and for anything but a list of them.
    """
    if isinstance(
        examples, (str, bytes, bytearray, memoryview, os.PathLike)
    ) or _is_one_object(examples):
        raise DataError(
            f"One {word} came where several are expected, as {type_name(examples)};"
            " pass a list with it: predict([it])."
        )
    if word == _WORDS[TABLE] and hasattr(examples, "to_dict"):  # a data frame
        return examples.to_dict("records")
    if isinstance(examples, (Mapping, Set)) or hasattr(examples, "columns"):
        raise DataError(
            f"A {type_name(examples)} came, which is not a list of examples; pass a"
            " list, such as list(table['text']) of one column of a table."
        )
    examples = plain(examples)
    try:
        return list(examples)
    except TypeError as error:
        raise DataError(
            f"A {type_name(examples)} came where several {_plural(word)} are expected;"
            " pass a list."
        ) from error


def as_inputs(examples: Any, takes: InputSpec) -> list[Any]:
    """Examples as the signature takes them: bytes, or arrays of its type and shape.

    An image may be encoded bytes, a path, a file that is open, a Pillow image, or an
    array of uint8; a text is a string or its bytes in UTF-8; a series is `[steps,
    channels]` of any numbers; a sound is the bytes of a WAV file, its path, or an open
    file; a row of a table is a dictionary by the names of columns.

    Raises:
        DataError: if one is something else, or cannot be read.
        ArtifactError: if a series has another shape than the artifact takes.
    """
    items = as_list(examples, takes.word)
    refuse_one_array(examples, takes)
    if takes.name == IMAGE:
        return [image_bytes(item) for item in items]
    if takes.name == TEXT:
        return [_text(item) for item in items]
    if takes.name == SOUND:
        return [sound_bytes(item) for item in items]
    if takes.name == SERIES:
        return [_series(item, takes) for item in items]
    if takes.name == TABLE:
        return [table_row(item, takes.columns) for item in items]
    return [_as_it_is(item, takes) for item in items]


def refuse_one_array(examples: Any, takes: InputSpec) -> None:
    """Raises `DataError` for an array that is one example, or not a batch of them."""
    array = plain(examples)
    rank = {IMAGE: 4, TEXT: 1, SERIES: 3, SOUND: 1}.get(takes.name)
    if not isinstance(array, np.ndarray) or rank is None or array.dtype == object:
        return
    if array.ndim != rank and array.size:
        shapes = {
            IMAGE: "[images, height, width, channels]",
            TEXT: "[texts]",
            SOUND: "[sounds], the bytes of WAV files",
            SERIES: "[series, steps, channels]",
        }[takes.name]
        raise DataError(
            f"An array of shape {shape_text(array.shape)} came; several are {shapes}."
            f" If it is one {takes.word}, pass a list with it: predict([it])."
        )


def _text(text: Any) -> bytes:
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    if not isinstance(text, str):
        advice = " Read the file first." if isinstance(text, os.PathLike) else ""
        raise DataError(
            f"A {type_name(text)} came where a text is expected:"
            f" {str(text)[:_SHOWN]!r}.{advice}"
        )
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"A text has half of a surrogate pair at {error.start}, which no UTF-8 can"
            f" hold: {text[:_SHOWN]!r}. Was it cut, or decoded with"
            " errors='surrogateescape'?"
        ) from error


def _series(series: Any, takes: InputSpec) -> np.ndarray:
    numbers = _numbers(series)
    if numbers.ndim != len(takes.shape) or any(
        allowed not in (None, size) for allowed, size in zip(takes.shape, numbers.shape)
    ):
        raise ArtifactError(
            f"The artifact takes series of shape {takes.shape}, steps and channels, but"
            f" one of shape {numbers.shape} came."
        )
    return _narrowed(numbers, np.dtype(np.float32))


def _numbers(series: Any) -> np.ndarray:
    try:
        numbers = np.asarray(plain(series))
    except ValueError as error:  # rows of several lengths
        raise DataError(f"A series that came is not an array: {error}.") from error
    if numbers.dtype.kind not in "fiub":
        raise DataError(
            f"A series of {numbers.dtype.name} came; it must be of real numbers, with"
            " np.nan for a value that is missing."
        )
    return numbers


def _narrowed(numbers: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers in a type of less range. Raises `DataError` for one beyond it."""
    with np.errstate(over="ignore"):
        narrow = numbers.astype(dtype)
    beyond = np.isinf(narrow) & np.isfinite(numbers)
    if beyond.any():
        raise DataError(
            f"A series has {numbers[beyond].flat[0]:.6g}, which is beyond {dtype.name};"
            " scale it as the training data were."
        )
    return narrow


def _as_it_is(example: Any, takes: InputSpec) -> Any:
    """An example for a model from elsewhere."""
    if isinstance(example, (str, bytes)):
        return example
    array = np.asarray(plain(example))
    is_number = array.dtype.kind in "fiu" and takes.dtype.startswith("float")
    return _narrowed(array, np.dtype(takes.dtype)) if is_number else array


def _is_one_object(value: Any) -> bool:
    return is_pillow(value) or hasattr(value, "read")


def _plural(word: str) -> str:
    return word if word == "series" else f"{word}s"
