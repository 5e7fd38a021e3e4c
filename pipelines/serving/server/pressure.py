"""Memory that messages take while they come, which gRPC does not report.

gRPC hands a message over when it is whole; until then its bytes are in buffers of the
library, a hundred times what one message may have if a hundred come at once. So what
the C library has given out is looked at while any come, and too much ends the oldest.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import sys
from collections.abc import Callable
from pathlib import Path

from pipelines.serving.server.arrivals import Arrivals
from pipelines.serving.server.errors import Code, ServingError

_LOOK_SECONDS = 0.02


class _MallInfo2(ctypes.Structure):
    _names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks")
    _more = ("fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = [(name, ctypes.c_size_t) for name in (*_names, *_more)]


def allocated_bytes() -> Callable[[], int] | None:
    """A function for the bytes that `malloc` has given out; None where it lacks one."""
    if sys.platform != "linux":
        return None
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)  # glibc 2.33 and later
    if ask is None:
        return None
    ask.restype = _MallInfo2

    def bytes_now() -> int:
        info = ask()
        return info.uordblks + info.hblkhd

    return bytes_now


def held_bytes() -> int:
    """Resident bytes of the process; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * mmap.PAGESIZE


class Pressure:
    """Watches memory while anything arrives, and gives up the oldest if it grows.

    A few are left alone: as many as have half of `most_bytes` together. Buffers
    that were freed leave holes, which are given back as `give_back` does.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        *,
        most_bytes: int,
        bytes_of_each: int,
        allocated: Callable[[], int] | None,
        held: Callable[[], int] = lambda: 0,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._arrivals = arrivals
        self._left_alone = max(1, most_bytes // bytes_of_each // 2)
        self._growth = most_bytes // 4
        self._allocated = allocated
        self._held = held
        self._give_back = give_back
        self._given_back: asyncio.Future[None] | None = None
        self._before = 0
        self._holes = 0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """To be called when something begins to arrive."""
        if self._allocated is not None and self._timer is None:
            self._before = self._allocated()
            self._holes = self._held() - self._before
            self._look_again()

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._allocated is None:
            return
        now = self._allocated()
        if len(self._arrivals) <= self._left_alone:
            # Other memory has grown, for example by a model that was loaded.
            self._before = max(self._before, now - self._growth)
        elif now - self._before > self._growth:
            self._arrivals.give_up_oldest(
                self._left_alone,
                ServingError(
                    Code.RESOURCE_EXHAUSTED,
                    "The messages that are on their way take all the memory that they"
                    " may; ask again in a second.",
                ),
            )
        has_holes = self._held() - now - self._holes > self._growth
        if has_holes:
            self._fill_holes()
        if len(self._arrivals) or has_holes:
            self._look_again()

    def _fill_holes(self) -> None:
        """One at a time, in a thread: it takes a part of a second."""
        if self._given_back is not None and not self._given_back.done():
            return
        loop = asyncio.get_running_loop()
        self._given_back = filling = loop.run_in_executor(None, self._give_back)

        def note(_: object) -> None:
            # What stays behind is not asked for again.
            if self._allocated is not None:
                self._holes = max(self._holes, self._held() - self._allocated())

        filling.add_done_callback(note)
