"""Digits as a source, and the same digits darker and noisier as a target, in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.data.readers.builtin import read

SOURCE, TARGET, LABELLED = "source.npz", "target.npz", "labelled.npz"


def write(folder: Path) -> Path:
    """Three classes: 180 examples of the source, 150 of the target, 60 with labels."""
    examples = read("digits")
    rows = np.flatnonzero(examples.labels < 3)
    x, y = examples.inputs.pixels[rows], examples.labels[rows].astype(str)
    _save(folder / SOURCE, x[:180], y[:180])
    dark = darkened(x)
    _save(folder / TARGET, dark[180:330], y[180:330])
    _save(folder / LABELLED, dark[330:390], y[330:390])
    return folder


def darkened(pixels: np.ndarray) -> np.ndarray:
    """The images on a grey ground, at a third of their contrast, with some noise."""
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    return (90 + pixels / 3.0 + noise).clip(0, 255).astype(np.uint8)


def _save(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    np.savez(path, x=x, y=y)
