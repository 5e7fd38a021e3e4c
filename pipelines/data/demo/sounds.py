"""Sounds made up by formulas: a bell, an engine, rain and a siren."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pipelines.data.demo.kind import DemoKind
from pipelines.data.sounds.wave_file import wave_bytes

_RATE_HZ = 8_000
_SECONDS = (0.5, 1.0)
_NOISE = (0.01, 0.1)

_Make = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _bell(time: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Partials that are not multiples of each other, and die away."""
    pitch = draw.uniform(400, 900)
    partials = (1.0, 2.0, 2.76, 3.8)
    ringing = sum(np.sin(2 * np.pi * pitch * p * time) / p for p in partials)
    return ringing * np.exp(-draw.uniform(3, 8) * time) / 2


def _engine(time: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Low multiples of one frequency, which beat."""
    pitch, beat = draw.uniform(60, 140), draw.uniform(8, 20)
    phases = draw.uniform(0, 6, 8)
    humming = sum(
        np.sin(2 * np.pi * pitch * k * time + phase) / k
        for k, phase in enumerate(phases, start=1)
    )
    return humming * (0.6 + 0.4 * np.sin(2 * np.pi * beat * time)) / 2


def _rain(time: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Noise in drops."""
    noise = draw.normal(0, 0.2, len(time))
    drops = draw.random(len(time)) < draw.uniform(0.002, 0.01)
    fading = np.exp(-np.arange(200) / 40)
    return noise * (0.3 + np.convolve(drops, fading)[: len(time)])


def _siren(time: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """One tone that goes up and down."""
    middle, swing = draw.uniform(700, 1_200), draw.uniform(200, 400)
    turns = draw.uniform(1.5, 4)
    pitch = middle + swing * np.sin(2 * np.pi * turns * time + draw.uniform(0, 6))
    return 0.6 * np.sin(2 * np.pi * np.cumsum(pitch) / _RATE_HZ)


_CLASSES: Mapping[str, _Make] = {
    "bell": _bell,
    "engine": _engine,
    "rain": _rain,
    "siren": _siren,
}


def _write(files: tuple[Path, ...], folder: Path, limit: int) -> Mapping[str, int]:
    """`folder/CLASS/00.wav` and on: 16 bits, one channel, 8 kHz."""
    for number, (name, make) in enumerate(_CLASSES.items()):
        (folder / name).mkdir()
        for i in range(limit):
            draw = np.random.default_rng((number, i))
            time = np.arange(int(_RATE_HZ * draw.uniform(*_SECONDS))) / _RATE_HZ
            samples = make(time, draw)
            samples = samples + draw.normal(0, draw.uniform(*_NOISE), len(time))
            content = wave_bytes(0.8 * samples / np.abs(samples).max(), _RATE_HZ)
            (folder / name / f"{i:03}.wav").write_bytes(content)
    return dict.fromkeys(_CLASSES, limit)


SOUNDS = DemoKind(
    summary="a bell, an engine, rain and a siren: half a second to one at 8 kHz",
    origin="made up by formulas of zootune; nobody recorded them",
    licence="CC0-1.0",
    files=(),
    default_limit=30,
    scheme="dir",
    data_file="",
    train_flags=(),
    write=_write,
)
