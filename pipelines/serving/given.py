"""What somebody gives as examples, made what a signature takes, or refused in words.

The same for a model in this process and for one behind a server, so that all ways give
the same answer. Numbers are never cast to what they are not. Imports no TensorFlow, and
Pillow only where an image of it comes.
"""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ArtifactError, DataError

IMAGE, TEXT, SERIES = "image_bytes", "text", "series"
_WORDS = {IMAGE: "image", TEXT: "text", SERIES: "series"}
_SHOWN = 80
# Channels of an array, and how PNG numbers them.
_PNG_KINDS = {1: 0, 3: 2, 4: 6}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Modes of Pillow that an array of bytes holds as they are, and those of 16 bits.
_PLAIN_MODES = ("L", "RGB", "RGBA")
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_DEEP_MODES = ("I", "F")


@dataclasses.dataclass(frozen=True)
class Takes:
    """The input of a signature: its name, its type, and the shape of one example."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] = ()

    @property
    def word(self) -> str:
        """What one example is called."""
        return _WORDS.get(self.name, "example")


def listed(examples: Any, word: str = "example") -> list[Any]:
    """Several examples in a list.

    Raises:
        DataError: for a single one, and for what is no list of examples.
    """
    if isinstance(
        examples, (str, bytes, bytearray, memoryview, os.PathLike)
    ) or _is_one_object(examples):
        raise DataError(
            f"One {word} came where several are expected, as {_kind(examples)}; pass a"
            " list with it: predict([it])."
        )
    if isinstance(examples, (Mapping, Set)) or hasattr(examples, "columns"):
        raise DataError(
            f"A {_kind(examples)} came, which is no list of examples; pass a list, such"
            " as list(table['text']) of one column of a table."
        )
    examples = _plain(examples)
    try:
        return list(examples)
    except TypeError as error:
        raise DataError(
            f"A {_kind(examples)} came where several {_plural(word)} are expected; pass"
            " a list."
        ) from error


def made(examples: Any, takes: Takes) -> list[Any]:
    """Examples as the signature takes them: bytes, or arrays of its type and shape.

    An image may be encoded bytes, a path, a file that is open, a Pillow image, or an
    array of uint8; a text is a string or its bytes in UTF-8; a series is `[steps,
    channels]` of any numbers.

    Raises:
        DataError: if one is something else, or cannot be read.
        ArtifactError: if a series has another shape than the artifact takes.
    """
    items = listed(examples, takes.word)
    refuse_one_array(examples, takes)
    if takes.name == IMAGE:
        return [_image(one) for one in items]
    if takes.name == TEXT:
        return [_text(one) for one in items]
    if takes.name == SERIES:
        return [_series(one, takes) for one in items]
    return [_as_it_is(one, takes) for one in items]


def refuse_one_array(examples: Any, takes: Takes) -> None:
    """Raises `DataError` for an array that is one example, or no batch of them."""
    found = _plain(examples)
    wanted = {IMAGE: 4, TEXT: 1, SERIES: 3}.get(takes.name)
    if not isinstance(found, np.ndarray) or wanted is None or found.dtype == object:
        return
    if found.ndim != wanted and found.size:
        what = {
            IMAGE: "[images, height, width, channels]",
            TEXT: "[texts]",
            SERIES: "[series, steps, channels]",
        }[takes.name]
        raise DataError(
            f"An array of shape {_shown(found.shape)} came; several are {what}. If it"
            f" is one {takes.word}, pass a list with it: predict([it])."
        )


def pixels(inputs: Any, shape: Sequence[int | None]) -> np.ndarray:
    """A batch of pixels, uint8 `[batch, height, width, 3]`, as a network takes them.

    Raises:
        DataError: if it is of another type or shape.
    """
    found = np.asarray(_plain(inputs))
    if found.dtype != np.uint8:
        raise DataError(_not_bytes("Pixels", found))
    if found.ndim != len(shape) or any(
        wanted not in (None, came) for wanted, came in zip(shape, found.shape)
    ):
        raise DataError(
            f"Pixels have shape {_shown(shape)}, where None is any number of images;"
            f" {_shown(found.shape)} came. `predict` takes images of any size."
        )
    return found


def why_not_valid(example: Any, takes: Takes) -> str:
    """Why an artifact calls an example not valid, as far as its bytes tell."""
    if takes.name == TEXT:
        return _why_no_text(example)
    if takes.name == SERIES:
        return _why_no_series(example)
    if takes.name == IMAGE and isinstance(example, bytes):
        return _why_no_image(example)
    return "the artifact cannot read it"


def _image(given: Any) -> bytes:
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    if isinstance(given, (str, os.PathLike)):
        return _content(given)
    if isinstance(given, io.BytesIO):
        return given.getvalue()  # also where somebody has just written it
    if _is_pillow(given):
        return _of_pillow(given)
    if hasattr(given, "read"):
        return _read(given)
    found = _plain(given)
    if isinstance(found, np.ndarray) and found.dtype != object:
        return _encoded(found)
    raise DataError(
        f"A {_kind(given)} came where an image is expected: encoded bytes, a path, a"
        " Pillow image, or an array of uint8 [height, width, 3]."
    )


def _content(given: str | os.PathLike) -> bytes:
    try:
        return Path(given).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(
            f"{str(given)[:_SHOWN]!r} cannot be read as a file: {reason}. An image is"
            " given as a path on this machine, or as its encoded bytes."
        ) from error


def _read(given: Any) -> bytes:
    try:
        content = given.read()
    except (OSError, ValueError) as error:
        raise DataError(f"A file that came cannot be read: {error}.") from error
    if not isinstance(content, bytes):
        raise DataError(
            f"Reading a {_kind(given)} gave {_kind(content)} and no bytes; open the"
            " file with mode 'rb'."
        )
    return content


def _of_pillow(given: Any) -> bytes:
    from PIL import ImageOps

    if given.mode in _DEEP_MODES:
        raise DataError(
            f"A Pillow image of mode {given.mode!r} came, whose numbers are not from 0"
            " to 255; scale them, and convert it to 'L' or 'RGB'."
        )
    try:
        # As it is seen: files say in their Exif which side is up.
        seen = ImageOps.exif_transpose(given)
        if seen.mode in _SIXTEEN_BITS:
            stream = io.BytesIO()
            seen.save(stream, "PNG")
            return stream.getvalue()
        if seen.mode not in _PLAIN_MODES:
            has_alpha = "transparency" in seen.info or seen.mode in ("LA", "La", "PA")
            has_alpha |= seen.mode == "RGBa"
            seen = seen.convert("RGBA" if has_alpha else "RGB")
        elif "transparency" in seen.info:  # one colour that is clear
            seen = seen.convert("RGBA")
        return _png(np.asarray(seen))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"A Pillow image that came cannot be read: {error}.") from error


def _encoded(found: np.ndarray) -> bytes:
    if found.dtype != np.uint8:
        raise DataError(_not_bytes("An image as an array", found))
    channels = found.shape[2] if found.ndim == 3 else 1
    if found.ndim not in (2, 3) or channels not in _PNG_KINDS or not found.size:
        raise DataError(
            f"An array of shape {_shown(found.shape)} came where an image is expected:"
            " [height, width, channels] with 1, 3 or 4 channels, or [height, width]."
        )
    return _png(found)


def _not_bytes(what: str, found: np.ndarray) -> str:
    """A sentence on numbers that are no uint8, with what to do with these."""
    came = f"{what} must be uint8 from 0 to 255; {found.dtype.name} came"
    if not found.size or found.dtype.kind not in "fiub":
        return f"{came}."
    least, most = found.min(), found.max()
    came += f", from {least:.6g} to {most:.6g}." if found.dtype.kind != "b" else "."
    if found.dtype.kind in "fb" and least >= 0 and most <= 1:
        return f"{came} If 1 is white: np.round(255.0 * x).astype(np.uint8)."
    if least >= 0 and most <= 255:
        return f"{came} If 255 is white: np.round(x).astype(np.uint8)."
    return (
        f"{came} Bring them to 0 to 255 as the training images were, then:"
        " .astype(np.uint8)."
    )


def _png(found: np.ndarray) -> bytes:
    """Pixels as a PNG, which loses none of them."""
    height, width = found.shape[:2]
    channels = found.shape[2] if found.ndim == 3 else 1
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # 0: no filter
    rows[:, 1:] = found.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _PNG_KINDS[channels], 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 1)
    return _PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    )


def _text(given: Any) -> bytes:
    if isinstance(given, (bytes, bytearray, memoryview)):
        return bytes(given)
    if not isinstance(given, str):
        advice = " Read the file first." if isinstance(given, os.PathLike) else ""
        raise DataError(
            f"A {_kind(given)} came where a text is expected: {str(given)[:_SHOWN]!r}."
            f"{advice}"
        )
    try:
        return given.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"A text has half of a surrogate pair at {error.start}, which no UTF-8 can"
            f" hold: {given[:_SHOWN]!r}. Was it cut, or decoded with"
            " errors='surrogateescape'?"
        ) from error


def _series(given: Any, takes: Takes) -> np.ndarray:
    found = _numbers(given)
    if found.ndim != len(takes.shape) or any(
        wanted not in (None, came) for wanted, came in zip(takes.shape, found.shape)
    ):
        raise ArtifactError(
            f"The artifact takes series of shape {takes.shape}, steps and channels, but"
            f" one of shape {found.shape} came."
        )
    return _narrowed(found, np.dtype(np.float32))


def _numbers(given: Any) -> np.ndarray:
    try:
        found = np.asarray(_plain(given))
    except ValueError as error:  # rows of several lengths
        raise DataError(f"A series that came is no array: {error}.") from error
    if found.dtype.kind not in "fiub":
        raise DataError(
            f"A series of {found.dtype.name} came; it must be of real numbers. What is"
            " missing is np.nan."
        )
    return found


def _narrowed(found: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Numbers in a type of less range. Raises `DataError` for one beyond it."""
    with np.errstate(over="ignore"):
        narrow = found.astype(dtype)
    beyond = np.isinf(narrow) & np.isfinite(found)
    if beyond.any():
        raise DataError(
            f"A series has {found[beyond].flat[0]:.6g}, which is beyond {dtype.name};"
            " scale it as the training data were."
        )
    return narrow


def _as_it_is(given: Any, takes: Takes) -> Any:
    """An example for a model that is none of ours."""
    if isinstance(given, (str, bytes)):
        return given
    found = np.asarray(_plain(given))
    is_number = found.dtype.kind in "fiu" and takes.dtype.startswith("float")
    return _narrowed(found, np.dtype(takes.dtype)) if is_number else found


def _why_no_text(text: bytes) -> str:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        return f"the text is no UTF-8: {error.reason} at byte {error.start}"
    return "the text is blank" if not decoded.strip() else "the text cannot be read"


def _why_no_series(series: np.ndarray) -> str:
    missing = np.argwhere(~np.isfinite(series))
    if not len(missing):
        return "the series cannot be read"
    step, channel = missing[0]
    return (
        f"a value is {series[step, channel]} at step {step}, channel {channel};"
        f" {len(missing)} in all are no finite numbers"
    )


def _why_no_image(content: bytes) -> str:
    if not content:
        return "there are no bytes"
    known = next((name for name, begins in _READ.items() if begins(content)), None)
    if known:
        return (
            f"it begins as {known} and cannot be decoded: it is damaged or cut short,"
            " or has more pixels than the artifact reads"
        )
    other = next((name for name, begins in _OTHERS.items() if begins(content)), None)
    said = f"it looks like {other}" if other else f"it begins with {content[:12]!r}"
    return f"it is no JPEG, PNG, GIF, BMP or WebP: {said}"


_READ = {
    "JPEG": lambda c: c.startswith(b"\xff\xd8"),
    "PNG": lambda c: c.startswith(_PNG_SIGNATURE[:4]),
    "GIF": lambda c: c.startswith(b"GIF8"),
    "BMP": lambda c: c.startswith(b"BM"),
    "WebP": lambda c: c.startswith(b"RIFF") and c[8:12] == b"WEBP",
}
_OTHERS = {
    "HEIC or AVIF": lambda c: c[4:8] == b"ftyp",
    "TIFF": lambda c: c[:4] in (b"II*\0", b"MM\0*"),
    "PDF": lambda c: c.startswith(b"%PDF"),
    "a page or SVG": lambda c: c.lstrip()[:1] == b"<",
}


def _is_pillow(given: Any) -> bool:
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(given, pillow.Image)


def _is_one_object(given: Any) -> bool:
    return _is_pillow(given) or hasattr(given, "read")


def _plain(given: Any) -> Any:
    """Tensors of TensorFlow or PyTorch as arrays, and what is masked as missing."""
    if isinstance(given, np.ma.MaskedArray):
        return np.ma.filled(given.astype(np.float32), np.nan)
    is_tensor = hasattr(given, "numpy") and hasattr(given, "dtype")
    return given.numpy() if is_tensor else given


def _kind(given: Any) -> str:
    return type(given).__name__


def _plural(word: str) -> str:
    return word if word == "series" else f"{word}s"


def _shown(shape: Sequence[int | None]) -> str:
    return f"[{', '.join(map(str, shape))}]"
