"""The inspection of one sound file, by the rules of the graph that decodes it.

Imports no TensorFlow: a server answers with these reasons, too.
"""

from __future__ import annotations

import dataclasses
import struct

import numpy as np

from zoo.sounds.wave_format import (
    EXTENSIBLE,
    FLOAT,
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    MOST_CHANNELS,
    MOST_CHUNKS,
    PCM,
    SAMPLE_KINDS,
    SHORTEST_SECONDS,
    UNKNOWN_SIZE,
)

SILENT = "silent: every sample is the same"
_TO_PCM = "convert it: ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav"
_CODECS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 49: "GSM", 85: "MP3"}
# What begins like this, and the ending that such files usually have.
_OTHERS = (
    (b"fLaC", "FLAC", "flac"),
    (b"OggS", "Ogg", "ogg"),
    (b"ID3", "MP3", "mp3"),
    (b"\xff\xfb", "MP3", "mp3"),
    (b"\xff\xf3", "MP3", "mp3"),
    (b"FORM", "AIFF", "aiff"),
    (b".snd", "AU", "au"),
    (b"RF64", "a WAV of 64 bits", "wav"),
    (b"RIFX", "a WAV with the big end first", "wav"),
)
_SHOWN = 12


@dataclasses.dataclass(frozen=True, slots=True)
class SoundInspection:
    """The reason why a file cannot be used, or else its rate, length and oddities."""

    bad: str = ""
    rate_hz: int = 0
    channels: int = 0
    milliseconds: float = 0.0
    odd: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Chunks:
    """The content of the format, and the place and the said size of the samples."""

    form: bytes | None
    data_at: int
    data_bytes: int


def inspect_sound(content: bytes) -> SoundInspection:
    """The inspection of the bytes of a file."""
    bad = _why_no_wave(content)
    if bad:
        return SoundInspection(bad)
    chunks = _chunks(content)
    if chunks.form is None:
        return SoundInspection("has no format: it is damaged, or cut short")
    if chunks.data_at < 0:
        return SoundInspection("has no samples: it is damaged, or cut short")
    tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", chunks.form[:16])
    if tag == EXTENSIBLE:
        (tag,) = struct.unpack("<H", chunks.form[24:26])
    bad = _why_not_decoded(tag, bits, channels, rate_hz)
    if bad:
        return SoundInspection(bad)
    there = len(content) - chunks.data_at
    size = there if chunks.data_bytes >= UNKNOWN_SIZE else chunks.data_bytes
    if size > there:
        return SoundInspection(
            f"is cut short: {there:,} of {size:,} bytes of samples are there"
        )
    frame_bytes = channels * bits // 8
    frames = size // frame_bytes
    if frames < rate_hz * SHORTEST_SECONDS:
        return SoundInspection(
            f"has {frames} sample{'' if frames == 1 else 's'} at {rate_hz} a second;"
            f" at least {1000 * SHORTEST_SECONDS:.0f} ms are needed"
        )
    end = chunks.data_at + frames * frame_bytes
    raw = np.frombuffer(content[chunks.data_at : end], np.uint8)
    if tag == FLOAT and not np.isfinite(raw.view(f"<f{bits // 8}")).all():
        return SoundInspection("has samples that are NaN or infinite")
    by_frame = raw.reshape(frames, frame_bytes)
    is_silent = not (by_frame != by_frame[0]).any()
    return SoundInspection(
        rate_hz=rate_hz,
        channels=channels,
        milliseconds=1000 * frames / rate_hz,
        odd=(SILENT,) if is_silent else (),
    )


def _why_no_wave(content: bytes) -> str:
    if not content:
        return "there are no bytes"
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return ""
    for begins, kind, ending in _OTHERS:
        if content.startswith(begins):
            return f"is {kind}, which is not read; {_conversion(ending)}"
    if content[4:8] == b"ftyp":
        return f"is MPEG-4, which is not read; {_conversion('m4a')}"
    return f"is not a WAV file: it begins with {content[:_SHOWN]!r}"


def _conversion(ending: str) -> str:
    source = "IN.wav" if ending == "wav" else f"NAME.{ending}"
    return f"convert it: ffmpeg -i {source} NAME.wav"


def _chunks(content: bytes) -> _Chunks:
    form, data_at, data_bytes, at = None, -1, 0, 12
    for _ in range(MOST_CHUNKS):
        if at + 8 > len(content) or (form is not None and data_at >= 0):
            break
        name, size = struct.unpack("<4sI", content[at : at + 8])
        if name == b"fmt " and form is None:
            form = content[at + 8 : at + 34].ljust(26, b"\0")
        elif name == b"data" and data_at < 0:
            data_at, data_bytes = at + 8, size
        at += 8 + size + size % 2
    return _Chunks(form, data_at, data_bytes)


def _why_not_decoded(tag: int, bits: int, channels: int, rate_hz: int) -> str:
    if tag not in (PCM, FLOAT):
        codec = _CODECS.get(tag, f"format {tag:#06x}")
        return f"holds compressed samples ({codec}); {_TO_PCM}"
    if (tag, bits) not in SAMPLE_KINDS:
        kind = "whole" if tag == PCM else "floating"
        return f"has {kind} samples of {bits} bits; {_TO_PCM}"
    if not 1 <= channels <= MOST_CHANNELS:
        return f"has {channels} channels; allowed are 1 to {MOST_CHANNELS}"
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        return (
            f"has {rate_hz} samples a second; allowed are {LOWEST_RATE_HZ} to"
            f" {HIGHEST_RATE_HZ}"
        )
    return ""
