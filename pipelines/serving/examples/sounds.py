"""Sounds that a caller passes, as the bytes of WAV files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from pipelines.errors import DataError
from pipelines.serving.examples.values import type_name

_SHOWN = 80


def sound_bytes(sound: Any) -> bytes:
    """The bytes of a WAV file: these, its path, or an open file.

    Raises:
        DataError: if it is something else, or cannot be read.
    """
    if isinstance(sound, (bytes, bytearray, memoryview)):
        return bytes(sound)
    if isinstance(sound, io.BytesIO):
        return sound.getvalue()
    try:
        if isinstance(sound, (str, os.PathLike)):
            return Path(sound).read_bytes()
        content = sound.read() if hasattr(sound, "read") else None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{str(sound)[:_SHOWN]!r} cannot be read as a file: {error}. A sound is"
            " given as a path on this machine, or as the bytes of a WAV file."
        ) from error
    if not isinstance(content, bytes):
        raise DataError(
            f"A {type_name(sound)} came where a sound is expected: the bytes of a WAV"
            " file, its path, or a file that is open with mode 'rb'. For samples in an"
            " array write a file first: scipy.io.wavfile.write(PATH, RATE, ARRAY)."
        )
    return content
