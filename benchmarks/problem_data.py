"""Small tasks with several labels, numbers or grades, made of images at hand."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.data.load import read
from pipelines.data.reference import DatasetRef

_EMOJI_PX = 64
_CANVAS_PX = 96
# Words of a subcategory on fewer emoji than this are left out.
_FEWEST = 20
_MOST_EMOJI = 9


def digits() -> tuple[np.ndarray, np.ndarray]:
    """5,000 digits, uint8 `[n, 28, 28]`, and which they are."""
    examples = read(DatasetRef.parse("builtin:mnist_5k"))
    pixels = getattr(examples.inputs, "pixels")  # noqa: B009 - only arrays have them
    return pixels[..., 0], examples.labels


def canvases(
    count: int, fewest: int, most: int, seed: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Canvases uint8 `[count, 56, 56]` with some digits in their four cells."""
    pixels, names = digits()
    rng = np.random.default_rng(seed)
    made = np.zeros((count, 56, 56), np.uint8)
    shown = []
    for canvas in made:
        rows = rng.integers(len(pixels), size=rng.integers(fewest, most + 1))
        for cell, row in zip(rng.permutation(4), rows):
            y, x = 28 * (cell // 2), 28 * (cell % 2)
            canvas[y : y + 28, x : x + 28] = pixels[row]
        shown.append(names[rows])
    return made, shown


def turned(
    pixels: np.ndarray, count: int, seed: int, *, most: float
) -> tuple[np.ndarray, np.ndarray]:
    """Images turned by up to `most` degrees either way, uint8, and their angles."""
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-most, most, count)
    rows = rng.permutation(len(pixels))[:count]
    images = [
        Image.fromarray(pixels[row]).rotate(angle, Image.Resampling.BILINEAR)
        for row, angle in zip(rows, angles)
    ]
    return np.stack([np.asarray(image) for image in images]), angles


def scaled(pixels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images at 0.4 to 1 of their size on black, uint8, and this scale."""
    rng = np.random.default_rng(seed)
    scales = rng.uniform(0.4, 1.0, count)
    rows = rng.permutation(len(pixels))[:count]
    height = pixels.shape[1]
    made = np.zeros((count, height, height), np.uint8)
    for canvas, row, scale in zip(made, rows, scales):
        size = round(height * scale)
        small = Image.fromarray(pixels[row]).resize((size, size), Image.Resampling.BOX)
        y, x = rng.integers(height - size + 1, size=2)
        canvas[y : y + size, x : x + size] = np.asarray(small)
    return made, scales


def fashion(folder: Path) -> np.ndarray:
    """Fashion items that others test on, uint8 `[10000, 28, 28]`."""
    with np.load(folder / "fashion.npz") as arrays:
        return arrays["x"][arrays["split"] == "test"][..., 0]


def emoji_labels(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Emoji, uint8 `[n, 64, 64, 3]`, and their labels 0 or 1 `[n, labels]`.

    Labels are the category, and the words of the subcategory on 20 emoji or more.
    """
    with (folder / "emoji_google.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    lists = [row["label"].split("|") for row in rows]
    counts = Counter(word for words in lists for word in words)
    names = sorted(word for word, count in counts.items() if count >= _FEWEST)
    labels = np.array([[name in words for name in names] for words in lists], np.int64)
    images = [np.asarray(opaque(folder / row["image"], _EMOJI_PX)) for row in rows]
    return np.stack(images), labels


def emoji_counts(folder: Path, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Canvases uint8 `[count, 96, 96, 3]` with 1 to 9 emoji, and their numbers.

    Emoji have sizes of 16 to 32 pixels, lie in a cell of their own and may touch.
    """
    rng = np.random.default_rng(seed)
    paths = sorted((folder / "emoji_google").rglob("*.png"))
    made = np.full((count, _CANVAS_PX, _CANVAS_PX, 3), 255, np.uint8)
    numbers = rng.integers(1, _MOST_EMOJI + 1, count)
    cell = _CANVAS_PX // 3
    for canvas, number in zip(made, numbers):
        for place in rng.permutation(9)[:number]:
            size = int(rng.integers(cell // 2, cell + 1))
            y, x = (cell * np.array(divmod(int(place), 3))) + rng.integers(
                cell - size + 1, size=2
            )
            image = opaque(paths[int(rng.integers(len(paths)))], size)
            canvas[y : y + size, x : x + size] = np.asarray(image)
    return made, numbers


def opaque(path: Path, size: int) -> Image.Image:
    """An emoji on white, `[size, size, 3]`."""
    with Image.open(path) as opened:
        emoji = opened.convert("RGBA")
    white = Image.new("RGBA", emoji.size, "white")
    white.alpha_composite(emoji)
    return white.convert("RGB").resize((size, size), Image.Resampling.BOX)
