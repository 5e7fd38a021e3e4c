"""Anomalies made of normal examples, to compare detectors by where none are known."""

from __future__ import annotations

import numpy as np

# A patch covers this share of an image: https://arxiv.org/abs/2104.04015
_LEAST_PATCH, _LARGEST_PATCH = 0.02, 0.15
_LEAST_RATIO = 0.3
KINDS = ("spike", "level shift", "noise", "warp")
# In standard deviations of all values of a channel.
_SPIKE, _SHIFT, _NOISE = 4.0, 1.5, 0.7
# The share of the steps that a defect covers.
_LEAST_SHARE, _LARGEST_SHARE = 0.1, 0.3


def cut_paste(pixels: np.ndarray, *, seed: int) -> np.ndarray:
    """Images `[n, h, w, 3]` in which a patch of each is pasted somewhere else."""
    rng = np.random.default_rng(seed)
    made = pixels.copy()
    height, width = pixels.shape[1:3]
    for image in made:
        area = rng.uniform(_LEAST_PATCH, _LARGEST_PATCH) * height * width
        ratio = np.exp(rng.uniform(np.log(_LEAST_RATIO), -np.log(_LEAST_RATIO)))
        tall = int(np.clip(np.sqrt(area * ratio), 1, height // 2))
        wide = int(np.clip(np.sqrt(area / ratio), 1, width // 2))
        top, to = rng.integers(0, height - tall + 1, 2)
        left, beside = rng.integers(0, width - wide + 1, 2)
        patch = image[top : top + tall, left : left + wide].copy()
        image[to : to + tall, beside : beside + wide] = patch
    return made


def defective(values: np.ndarray, *, seed: int) -> np.ndarray:
    """Series `[n, steps, channels]` with a defect in each, of `KINDS` in turn."""
    rng = np.random.default_rng(seed)
    made = values.copy()
    spread = values.std(axis=(0, 1), dtype=np.float64) + 1e-6
    steps = values.shape[1]
    for i, series in enumerate(made):
        share = rng.uniform(_LEAST_SHARE, _LARGEST_SHARE)
        length = min(steps, max(2, int(share * steps)))
        start = int(rng.integers(0, steps - length + 1))
        part = slice(start, start + length)
        sign = rng.choice([-1.0, 1.0])
        match KINDS[i % len(KINDS)]:
            case "spike":
                series[start : start + max(1, length // 8)] += sign * _SPIKE * spread
            case "level shift":
                series[part] += sign * _SHIFT * spread
            case "noise":
                series[part] += rng.normal(size=series[part].shape) * _NOISE * spread
            case _:
                series[part] = _warped(series[part], rng)
    return made


def _warped(part: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The part with time that runs two to three times as fast, then stands still."""
    places = np.arange(len(part), dtype=np.float64)
    faster = np.minimum(places * rng.uniform(2.0, 3.0), len(part) - 1)
    columns = [np.interp(faster, places, column) for column in part.T]
    return np.stack(columns, axis=1)
