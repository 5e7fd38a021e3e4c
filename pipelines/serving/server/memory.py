"""Gives memory that nothing refers to back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys


def settle() -> None:
    """Leaves objects that are in memory now out of every later collection.

    To be called once, when all is imported: a collection stops every thread, and most
    of what it would look through are the modules of TensorFlow, which never go.
    """
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Frees what nothing refers to any more, and what the C library keeps of it.

    A loaded SavedModel is full of cycles, which only a collection finds; and glibc
    keeps pages that were freed, for whoever asks next.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # musl has none, and keeps no pages
            trim(0)
