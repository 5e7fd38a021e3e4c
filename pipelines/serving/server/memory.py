"""Gives memory that nothing refers to back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys

# Parameters of mallopt, as in malloc.h of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 4 * 2**20
_KEPT_BYTES = 64 * 2**20


def settle() -> None:
    """Leaves objects that are in memory now out of every later collection.

    To be called once, when all is imported: a collection stops every thread, and most
    of what it would look through are the modules of TensorFlow, which never go.
    """
    gc.collect()
    gc.freeze()


def return_large_blocks() -> None:
    """Has the C library give blocks of 4 MiB and more back as soon as they are freed.

    glibc does so until the first such block is freed; from then on blocks up to that
    size come from its heaps, where large messages of many threads leave holes: beside
    48 messages of 31 MiB a server took 300 to 400 MB, and takes 160 to 310 with this.
    Answers of an EfficientNet-Lite0 for 1 to 32 images take as long as before.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:  # musl has none, and gives large blocks back
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
            # The threshold that moves with the other one stays where it would end.
            mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


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
