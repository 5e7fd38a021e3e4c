"""Plain values of whatever type a caller passes, and words for them in messages."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Tensors of TensorFlow or PyTorch as arrays; masked values as missing ones."""
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.filled(value.astype(np.float32), np.nan)
    is_tensor = hasattr(value, "numpy") and hasattr(value, "dtype")
    return value.numpy() if is_tensor else value


def is_pillow(value: Any) -> bool:
    """An image of Pillow, which is not imported for this question."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def type_name(value: Any) -> str:
    """The name of a value's type, for messages."""
    return type(value).__name__


def shape_text(shape: Sequence[int | None]) -> str:
    """A shape as messages write it: `[None, 3]`."""
    return f"[{', '.join(map(str, shape))}]"
