"""Examples made up to prove an export with, where the data may have none of the kind.

A fault in how an export reads images shows only on images of that kind: turned by the
camera, see-through, grey, of 16 bits, large. Here they are, made of real examples, and
mixtures that a trained model is not sure about: where it is sure of everything, its
probabilities would hide a wrong temperature.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, features

from pipelines.data.packed_strings import Strings
from pipelines.data.splits import (
    ImageFiles,
    Inputs,
    Series,
    Sounds,
    Split,
    Table,
    Texts,
)
from pipelines.stages.proof.sound_probes import sound_probes

# Of the size that the model takes: larger, so that JPEG is decoded at a half.
_LARGE = 4.5
_ORIENTATION = 0x0112
_MIXTURES = 4
_LONG_TEXT_BYTES = 4000
_WRITTEN_OTHERWISE = "  Ünïcödé \t 漢字 \U0001f642 ".encode()


@dataclasses.dataclass(frozen=True, eq=False)
class Probes:
    """A split of examples that nobody has labelled, and what is special about each."""

    split: Split
    names: tuple[str, ...]


def probes_of(
    inputs: Inputs, read: np.ndarray, folder: Path, *, maximum_megapixels: float
) -> Probes:
    """Probes made of real `inputs`, which a model `read` as `[n, ...]`.

    Images are written to `folder`, and none has more than `maximum_megapixels`.
    """
    match inputs:
        case Texts(values):
            made = _texts(list(values))
            texts = np.empty(len(made), object)
            texts[:] = list(made.values())
            return _split(Texts(texts), made)
        case Sounds():
            waves = sound_probes(list(inputs.values), rate_hz=inputs.rate_hz)
            return _split(_like(inputs, waves), waves)
        case Series():
            series = _series(read)
            return _split(Series(np.stack(list(series.values()))), series)
        case Table(columns, _):
            rows = _rows(read)
            return _split(Table(columns, np.stack(list(rows.values()))), rows)
    paths: dict[str, str] = {}
    for name, encoded in _images(read, maximum_megapixels).items():
        path = folder / f"{len(paths)}"
        path.write_bytes(encoded)
        paths[name] = str(path)
    files = ImageFiles(tuple(paths.values()), maximum_megapixels=maximum_megapixels)
    return _split(files, paths)


def _like(sounds: Sounds, files: Mapping[str, bytes]) -> Sounds:
    """Other files, to be read as these sounds are."""
    values = np.empty(len(files), object)
    values[:] = list(files.values())
    return dataclasses.replace(sounds, values=values, paths=Strings.of(files))


def _split(inputs: Inputs, names: Collection[str]) -> Probes:
    return Probes(
        Split("probes", inputs, np.zeros(len(names), np.int64)),
        tuple(f"a made-up example: {name}" for name in names),
    )


def _mixtures(read: np.ndarray) -> list[np.ndarray]:
    """Pairs of examples, half of each: of the first with others, far from it."""
    others = np.unique(np.linspace(0, len(read) - 1, _MIXTURES + 1).astype(int)[1:])
    first = read[0].astype(np.float32)
    return [((first + read[i]) / 2).astype(read.dtype) for i in others]


def _series(read: np.ndarray) -> dict[str, np.ndarray]:
    mixed = {f"mixture {i}": m for i, m in enumerate(_mixtures(read), 1)}
    return {**mixed, "doubled": 2 * read[0], "backwards": read[0][::-1]}


def _rows(read: np.ndarray) -> dict[str, np.ndarray]:
    """Rows with gaps, and with zeros: the code of a category that is new."""
    whole = np.nan_to_num(read[0])
    gaps, one = whole.copy(), np.nan_to_num(read[-1])
    gaps[1::2] = np.nan  # the first value stays: a row without any is not valid
    one[1:2] = np.nan
    return {
        "zeros and new categories": np.zeros_like(whole),
        "every second value missing": gaps,
        "one value missing": one,
    }


def _texts(values: list[bytes]) -> dict[str, bytes]:
    others = np.unique(np.linspace(0, len(values) - 1, _MIXTURES + 1).astype(int)[1:])
    mixed = {
        f"mixture {i}": values[0] + b" " + values[other]
        for i, other in enumerate(others, 1)
    }
    repeated = values[0] + b" "
    return {
        **mixed,
        "long": repeated * (1 + _LONG_TEXT_BYTES // len(repeated)),
        "capital letters": values[-1].decode(errors="ignore").upper().encode(),
        "other letters": values[-1] + _WRITTEN_OTHERWISE,
    }


def _images(read: np.ndarray, maximum_megapixels: float) -> dict[str, bytes]:
    """Encoded images of many kinds, of pixels uint8 `[n, size, size, 3]`."""
    size = read.shape[1]
    most = int(np.sqrt(maximum_megapixels * 1e6))

    def shaped(pixels: np.ndarray, by: float) -> np.ndarray:
        # Not square, so that turning it differs from a flip of the same picture.
        sides = [max(1, min(int(size * by * ratio), most)) for ratio in (0.8, 1.0)]
        image = Image.fromarray(pixels)
        smooth = Image.Resampling.BICUBIC
        return np.asarray(image.resize((sides[1], sides[0]), smooth))

    mixed = [np.clip(m, 0, 255).astype(np.uint8) for m in _mixtures(read)]
    # Brighter to one corner, so that no turn or flip of it is the same.
    ramp = np.linspace(0.4, 1.0, size)
    corner = (mixed[0] * (ramp[:, None, None] * ramp[::-1][None, :, None])).astype("u1")
    plain, small = shaped(corner, 1.4), shaped(corner, 0.6)
    # Cut where images may only be smaller than what the model takes.
    made: dict[str, bytes] = {
        f"mixture {i}": _png(image[:most, :most]) for i, image in enumerate(mixed, 1)
    }
    makers: dict[str, Callable[[], bytes]] = {
        "a large JPEG": lambda: _encoded(shaped(corner, _LARGE), "JPEG"),
        "a JPEG that the camera turned": lambda: _turned(plain),
        "a small JPEG": lambda: _encoded(small, "JPEG"),
        "a grey JPEG": lambda: _encoded(_grey(plain), "JPEG"),
        "a PNG that is partly transparent": lambda: _see_through(plain),
        "a grey PNG": lambda: _encoded(_grey(plain), "PNG"),
        "a PNG of 16 bits": lambda: _sixteen_bits(plain),
        "a GIF": lambda: _encoded(plain, "GIF"),
        "a BMP": lambda: _encoded(plain, "BMP"),
    }
    if features.check("webp"):
        makers["a WebP"] = lambda: _encoded(plain, "WEBP")
    return made | {name: make() for name, make in makers.items()}


def _encoded(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def _png(pixels: np.ndarray) -> bytes:
    return _encoded(pixels, "PNG")


def _grey(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _turned(pixels: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    return _encoded(pixels, "JPEG", exif=exif, quality=92)


def _see_through(pixels: np.ndarray) -> bytes:
    height, width, _ = pixels.shape
    alpha = np.linspace(0, 255, width).astype(np.uint8)
    alpha = np.broadcast_to(alpha[None, :, None], (height, width, 1))
    return _png(np.concatenate([pixels, alpha], axis=2))


def _sixteen_bits(pixels: np.ndarray) -> bytes:
    fine = pixels.astype(np.uint16) * 256 + 255 - pixels
    return tf.io.encode_png(fine).numpy()
