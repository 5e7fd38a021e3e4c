"""Sound files read into memory, and the rate and the length to read them at."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.data.checks.inspect_files import open_without_waiting
from pipelines.data.packed_strings import Strings
from pipelines.data.sounds.inspect_sound import SoundInspection, inspect_sound
from pipelines.data.splits import Sounds
from pipelines.errors import DataError
from zoo.spec import LONGEST_SOUND_MS, SOUND_RATES_HZ

# All files stay in memory while a run lasts.
MOST_BYTES = 4 * 2**30
# The share of sounds that the length is long enough for.
_WHOLE = 0.95
# The share of sounds of a lower rate that does not lower the rate of all.
_SLOW = 0.05
# A round length, and the longest without being asked for: ten seconds.
_ROUND_MS, _USUAL_MS, _SHORTEST_MS = 100, 10_000, 200

_log = logging.getLogger("zootune")


def read_sounds(paths: Sequence[str]) -> Sounds:
    """The bytes of sound files, with the rate and the length that suit them.

    A file that cannot be read has no bytes; the check of the data says why.

    Raises:
        DataError: if they are too large to stay in memory.
    """
    sizes = sum(_size(path) for path in paths)
    if sizes > MOST_BYTES:
        raise DataError(
            f"The {len(paths)} sound files have {sizes / 2**30:.1f} GiB, and at most"
            f" {MOST_BYTES / 2**30:.0f} GiB are read. Make them smaller, as in: ffmpeg"
            " -i IN.wav -ac 1 -ar 16000 OUT.wav; or keep some with limit=N."
        )
    values = np.empty(len(paths), object)
    values[:] = [_content(path) for path in paths]
    inspections = np.empty(len(paths), object)
    inspections[:] = [inspect_sound(content) for content in values]
    good = [inspection for inspection in inspections if not inspection.bad]
    return Sounds(
        values,
        Strings.of(paths),
        inspections,
        rate_hz=rate_for(good),
        length_ms=length_for(good),
    )


def rate_for(sounds: Sequence[SoundInspection]) -> int:
    """The rate to bring sounds to: the higher one, if nearly all have as much."""
    low, high = SOUND_RATES_HZ
    slow = sum(sound.rate_hz < high for sound in sounds)
    return low if slow > _SLOW * len(sounds) else high


def length_for(sounds: Sequence[SoundInspection]) -> int:
    """The length in milliseconds that nearly all sounds fit into, ten seconds at most.

    Longer ones are read in their middle, and shorter ones end before.
    """
    if not sounds:
        return 1000
    share = float(np.quantile([sound.milliseconds for sound in sounds], _WHOLE))
    rounded = _ROUND_MS * math.ceil(share / _ROUND_MS)
    return min(max(rounded, _SHORTEST_MS), _USUAL_MS, LONGEST_SOUND_MS)


def in_words(sounds: Sounds, inspections: Sequence[SoundInspection]) -> str:
    """A sentence on how sounds are read, for the log and the data card."""
    seconds = [each.milliseconds / 1000 for each in inspections if not each.bad]
    if not seconds:
        return ""
    longer = sum(1000 * s > sounds.length_ms for s in seconds)
    return (
        f"Sounds of {min(seconds):.2f} to {max(seconds):.2f} s are read as"
        f" {sounds.length_ms / 1000:g} s at {sounds.rate_hz} samples a second, mixed to"
        f" one channel; of {longer} longer ones the middle."
    )


def why_not_read(path: str) -> str:
    """The reason of the system why a file has no bytes; empty if it is empty."""
    try:
        with open(path, "rb", opener=open_without_waiting) as stream:
            stream.read(1)
    except OSError as error:
        return f"cannot be read ({(error.strerror or str(error)).lower()})"
    return ""


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _content(path: str) -> bytes:
    try:
        with open(path, "rb", opener=open_without_waiting) as stream:
            return stream.read()
    except OSError:
        return b""
