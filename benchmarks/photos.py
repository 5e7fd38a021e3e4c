"""JPEG photos in class folders, cut from the two photographs of scikit-learn."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

_ASPECT = 4 / 3
_CLASSES = 4
_HOUR_SECONDS = 3600


def write_photos(root: Path, count: int, *, width_px: int = 500) -> tuple[str, ...]:
    """Writes different crops, 4 wide and 3 high, and gives their sorted paths.

    They are of quality 90, at 500 by 375 pixels about 50 KB each, and an hour old: what
    was written just now is looked at again by every check.
    """
    size = (width_px, round(width_px / _ASPECT))
    rng = np.random.default_rng(0)
    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    then = time.time() - _HOUR_SECONDS
    paths = []
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        width = int(rng.integers(440, 570))
        height = int(width / _ASPECT)
        left = int(rng.integers(0, photograph.width - width))
        top = int(rng.integers(0, photograph.height - height + 1))
        crop = photograph.crop((left, top, left + width, top + height))
        if rng.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        path = root / f"class {i % _CLASSES}" / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo = crop.resize(size, Image.Resampling.BICUBIC)
        photo.save(path, quality=90)
        os.utime(path, (then, then))
        paths.append(str(path))
    return tuple(sorted(paths))
