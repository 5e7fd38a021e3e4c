"""Files of arrays with a description, as `.npz`; they are whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo.storage import durable


def save(path: Path, about: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name, and a description in values of JSON.

    Raises:
        OSError: if the disk does not take them.
    """
    unfinished = path.with_name(f".new.{path.name}")
    try:
        with unfinished.open("wb") as stream:
            np.savez(stream, about=np.array(json.dumps(about)), **arrays)
        durable.sync(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
