"""The reasons why an artifact calls an example not valid, from the example alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.serving.examples.images import PNG_SIGNATURE
from pipelines.serving.examples.inputs import (
    IMAGE,
    SERIES,
    SOUND,
    TABLE,
    TEXT,
    InputSpec,
)
from pipelines.serving.examples.rows import why_no_row


def why_not_valid(example: Any, takes: InputSpec) -> str:
    """The reason why an artifact calls an example not valid, as far as it shows."""
    if takes.name == TEXT:
        return _why_no_text(example)
    if takes.name == SERIES:
        return _why_no_series(example)
    if takes.name == TABLE:
        return why_no_row(example)
    if takes.name == SOUND:
        return _why_no_sound(example)
    if takes.name == IMAGE and isinstance(example, bytes):
        return _why_no_image(example)
    return "the artifact cannot read it"


def _why_no_text(text: bytes) -> str:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        return f"the text is not UTF-8: {error.reason} at byte {error.start}"
    return "the text is blank" if not decoded.strip() else "the text cannot be read"


def _why_no_sound(content: bytes) -> str:
    if not content:
        return "there are no bytes"
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return (
            "it begins as WAV and cannot be read: it is damaged, cut short, compressed,"
            " shorter than 32 ms, or has numbers that are not finite"
        )
    other = next((name for name, begins in _SOUNDS.items() if begins(content)), None)
    if other:
        return f"it is {other} and not WAV; convert it: ffmpeg -i IN OUT.wav"
    return f"it is not a WAV file: it begins with {content[:12]!r}"


def _why_no_series(series: np.ndarray) -> str:
    if np.isnan(series).all():
        return "every value of the series is missing"
    infinite = np.argwhere(np.isinf(series))
    if not len(infinite):
        return "the series cannot be read"
    step, channel = infinite[0]
    return (
        f"a value is {series[step, channel]} at step {step}, channel {channel};"
        f" {len(infinite)} in all are infinite"
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
    begins = f"it looks like {other}" if other else f"it begins with {content[:12]!r}"
    return f"it is not a JPEG, PNG, GIF, BMP or WebP: {begins}"


_READ = {
    "JPEG": lambda c: c.startswith(b"\xff\xd8"),
    "PNG": lambda c: c.startswith(PNG_SIGNATURE[:4]),
    "GIF": lambda c: c.startswith(b"GIF8"),
    "BMP": lambda c: c.startswith(b"BM"),
    "WebP": lambda c: c.startswith(b"RIFF") and c[8:12] == b"WEBP",
}
_SOUNDS = {
    "FLAC": lambda c: c.startswith(b"fLaC"),
    "Ogg": lambda c: c.startswith(b"OggS"),
    "MP3": lambda c: c.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3")),
    "MPEG-4": lambda c: c[4:8] == b"ftyp",
}
_OTHERS = {
    "HEIC or AVIF": lambda c: c[4:8] == b"ftyp",
    "TIFF": lambda c: c[:4] in (b"II*\0", b"MM\0*"),
    "PDF": lambda c: c.startswith(b"%PDF"),
    "a page or SVG": lambda c: c.lstrip()[:1] == b"<",
}
