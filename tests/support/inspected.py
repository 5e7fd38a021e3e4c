"""Files whose age is known, and what is found when they are inspected."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.data.checks.inspect_files import inspect_files
from pipelines.data.checks.inspection import Inspection

HOUR_NS = 3600 * 10**9


def png(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(
        buffer, "PNG", compress_level=0
    )
    return buffer.getvalue()


def written(path: Path, content: bytes, *, age_ns: int = HOUR_NS) -> Path:
    path.write_bytes(content)
    then = time.time_ns() - age_ns
    os.utime(path, ns=(then, then))
    return path


def inspections(
    *paths: Path, megapixels: float = 50.0, use_cache: bool = True
) -> list[Inspection]:
    return list(
        inspect_files(
            [str(path) for path in paths],
            maximum_megapixels=megapixels,
            use_cache=use_cache,
        )
    )
