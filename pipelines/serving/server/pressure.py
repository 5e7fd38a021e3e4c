"""Memory that messages take while they come, which gRPC does not report.

gRPC hands a message over when it is whole; until then its bytes are in buffers of the
library, a hundred times what one message may have if a hundred come at once. So what
the C library has given out is looked at while any come, and too much ends the oldest.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import mmap
import sys
from collections.abc import Callable
from pathlib import Path

from pipelines.serving.server.arrivals import Arrivals
from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.turns import Turns

_LOOK_SECONDS = 0.02
# So long after the last message nothing of any is left.
_REST_SECONDS = 0.5


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
    """Watches memory while anything arrives: few begin, or the oldest end, if it grows.

    A few are left alone: as many as have a quarter of `most_bytes` together. Buffers
    that were freed leave holes, which are given back as `give_back` does.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        turns: Turns,
        *,
        most_bytes: int,
        bytes_of_each: int,
        allocated: Callable[[], int] | None,
        held: Callable[[], int] = lambda: 0,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._arrivals = arrivals
        self._turns = turns
        self._bytes_of_each = bytes_of_each
        self._left_alone = max(1, most_bytes // bytes_of_each // 4)
        self._growth = most_bytes // 4
        self._little = most_bytes // 128
        self._allocated = allocated
        self._holes = _Holes(held, give_back, growth=self._growth // 2)
        self._before = self._last = 0
        self._is_watching = False
        self._timer: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """To be called when something begins to arrive."""
        if self._allocated is None or self._is_watching:
            return
        self._is_watching = True
        self._before = self._last = self._allocated()
        self._holes.begin(self._before)
        self._look_after(_LOOK_SECONDS)

    def _look_after(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._allocated is None:
            return
        now = self._allocated()
        if not self._is_watching:  # and nothing has come for a while
            if self._holes.fill(now, is_busy=False):
                self._look_after(_REST_SECONDS)
            return
        count = len(self._arrivals.read)
        # Other memory grows too, for example by a model that is loaded: what messages
        # and the copies of one cannot have taken.
        self._before = max(
            self._before, now - self._growth - (count + 2) * self._bytes_of_each
        )
        excess = now - self._before - self._growth
        self._turns.look(
            is_quiet=abs(now - self._last) < self._little, has_room=excess <= 0
        )
        self._last = now
        if excess > 0:
            self._give_up(math.ceil(excess / self._bytes_of_each))
        self._holes.fill(now, is_busy=True)
        self._is_watching = len(self._arrivals) > 0
        self._look_after(_LOOK_SECONDS if self._is_watching else _REST_SECONDS)

    def _give_up(self, count: int) -> None:
        """Gives up the oldest `count`, but for a few that fit in any case."""
        self._arrivals.give_up_oldest(
            max(self._left_alone, len(self._arrivals.read) - count),
            ServingError(
                Code.RESOURCE_EXHAUSTED,
                "The messages that are on their way take all the memory that they"
                " may; ask again in a second.",
            ),
        )


class _Holes:
    """Memory that was freed, and that the C library keeps."""

    def __init__(
        self, held: Callable[[], int], give_back: Callable[[], None], *, growth: int
    ) -> None:
        self._held = held
        self._give_back = give_back
        self._growth = growth
        # What stays behind is not asked for again; how much that is can only be
        # seen where nothing else goes on.
        self._staying: dict[bool, int] = {}
        self._filling: asyncio.Future[None] | None = None
        self._began_busy = False

    def begin(self, allocated: int) -> None:
        """To be called before the first message: what is held then is not theirs."""
        if not self._staying:
            self._staying = dict.fromkeys((True, False), self._held() - allocated)

    def fill(self, allocated: int, *, is_busy: bool) -> bool:
        """Gives holes back if they have grown; true if that is still going on.

        One at a time, in a thread: it takes a part of a second.
        """
        holes = self._held() - allocated
        if self._filling is not None:
            if not self._filling.done():
                return True
            self._filling = None
            self._staying[True] = holes
            if not is_busy and not self._began_busy:
                self._staying[False] = holes
        if holes - self._staying[is_busy] <= self._growth:
            return False
        loop = asyncio.get_running_loop()
        self._filling = loop.run_in_executor(None, self._give_back)
        self._began_busy = is_busy
        return True
