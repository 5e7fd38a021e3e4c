"""Two made domains of three Gaussian classes, and small settings."""

from __future__ import annotations

import numpy as np

from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.probing.probe import linear_probe, score

CLASSES, WIDTH = 3, 8
SETTINGS = Settings(units=16, steps=120, discriminator_units=32)
_CENTRES = 2.5 * np.eye(CLASSES, WIDTH)


def drawn(count: int, *, seed: int, shares=None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the source, and their labels; even shares unless others are asked for."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    if shares is not None:
        labels = rng.choice(CLASSES, count, p=shares)
    return _CENTRES[labels] + rng.normal(size=(count, WIDTH)), labels


def shifted(rows: np.ndarray) -> np.ndarray:
    """The same in another domain: brighter along one direction, and stretched."""
    return rows * np.linspace(0.7, 1.6, WIDTH) + np.array([3, -2, 0, 0, 1, 0, 0, 2])


def domains(source, labels, target) -> Domains:
    """Domains with the head of the source; every fourth row validates."""
    source, target = source.astype(np.float32), target.astype(np.float32)
    held = np.arange(len(source)) % 4 == 3
    parts = [source[~held]]
    scored = score(parts, labels[~held], groups=None, reads=("a",), grid=1)
    return Domains(
        linear_probe(parts, labels[~held], scored),
        source[~held],
        labels[~held],
        np.arange((~held).sum()),
        source[held],
        labels[held],
        target,
    )


def shifted_domains() -> tuple[Domains, np.ndarray]:
    """Domains of the same shares with a shift, and the labels of the target."""
    source, labels = drawn(400, seed=1)
    target, truth = drawn(300, seed=2)
    return domains(source, labels, shifted(target)), truth


def right(head, rows: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows that a head answers right."""
    return float((head.logits([rows]).argmax(axis=1) == labels).mean())
