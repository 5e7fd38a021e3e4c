"""One example from the content of one file, to predict it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from pipelines.errors import DataError


def parse_example(content: bytes, path: Path, modality: str) -> bytes | np.ndarray:
    """What an artifact of this modality takes.

    Images and texts are the bytes themselves. A series is a `.npy` array or lines of
    comma-separated numbers, `[steps, channels]` or `[steps]`, and comes as float32
    `[steps, channels]`.

    Raises:
        DataError: if the file holds no series.
    """
    if modality != "series":
        return content
    try:
        if path.suffix == ".npy":
            values = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            values = np.loadtxt(content.decode().splitlines(), delimiter=",")
        values = np.asarray(values, np.float32)
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{path} holds no series: {error}. Give a .npy array, or a line of"
            " comma-separated numbers for each step."
        ) from error
    if values.ndim not in (1, 2):
        raise DataError(
            f"{path} has shape {values.shape}; a series is [steps, channels]."
        )
    return values if values.ndim == 2 else values[:, np.newaxis]
