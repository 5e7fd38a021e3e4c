"""Turns to be read: a few messages at a time where much comes, all where little does.

What a call sends before its turn stays with the client, but for a small window. A turn
is short: whoever is slow goes on without one, and leaves it to the next. So messages
that come whole are read one after the other, and none waits for one that never comes.
Who has sent small ones so far does not wait at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Hashable

from pipelines.serving.server.arrivals import Client

_SECONDS = 0.25
# A connection whose last messages were smaller than this needs no turn for a few more.
# That is known of the newest connections.
_SMALL_BYTES = 2**20
_MOST_CREDIT = 4
_MOST_KNOWN = 4096


class Turns:
    """At most `few` at once, and more while nothing comes: twice as many at each look.

    Addresses take turns, and so do the connections of each; so nobody waits long for
    others, however many calls they make.
    """

    def __init__(self, *, few: int, most: int, seconds: float = _SECONDS) -> None:
        self._few = few
        self._most = most
        self._seconds = seconds
        self._allowed = few
        # The turns that are held, the oldest first, and since when.
        self._held: dict[asyncio.Future[None], float] = {}
        self._waiting: OrderedDict[str, OrderedDict[Hashable, _Queue]] = OrderedDict()
        # By connection: messages that need no turn.
        self._credit: OrderedDict[Hashable, int] = OrderedDict()

    @property
    def held(self) -> int:
        """The number of turns that are held."""
        return len(self._held)

    @contextlib.asynccontextmanager
    async def take(self, client: Client) -> AsyncIterator[None]:
        """Inside it is the turn of a client's message, or it needs none."""
        credit = self._credit.get(client.connection, 0)
        if credit:
            self._credit[client.connection] = credit - 1
            yield
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue(client).append(turn)
        self._grant()
        try:
            await turn
            yield
        finally:
            if self._held.pop(turn, None) is None:
                self._forget(client, turn)
            self._grant()

    def note(self, client: Client, count: int) -> None:
        """To be called with the bytes of each message that came."""
        credit = self._credit.pop(client.connection, 0)
        if count < _SMALL_BYTES:
            # The one that this message took, and one more.
            self._credit[client.connection] = min(credit + 2, _MOST_CREDIT)
        if len(self._credit) > _MOST_KNOWN:
            self._credit.popitem(last=False)

    def look(self, *, is_quiet: bool, has_room: bool) -> None:
        """Gives turns that are free now; to be called often while any wait.

        `is_quiet` says that next to nothing has come since the last time; `has_room`
        that there is memory for more, so that long turns end.
        """
        self._allowed = min(2 * self._allowed, self._most) if is_quiet else self._few
        before = asyncio.get_running_loop().time() - self._seconds
        for turn, since in list(self._held.items()) if has_room else ():
            if since < before:
                del self._held[turn]
        self._grant()

    def _queue(self, client: Client) -> _Queue:
        connections = self._waiting.setdefault(client.address, OrderedDict())
        return connections.setdefault(client.connection, deque())

    def _grant(self) -> None:
        while self._waiting and len(self._held) < self._allowed:
            address, connections = next(iter(self._waiting.items()))
            connection, queue = next(iter(connections.items()))
            turn = queue.popleft()
            connections.move_to_end(connection)
            self._waiting.move_to_end(address)
            self._forget_if_empty(Client(address, connection))
            self._held[turn] = asyncio.get_running_loop().time()
            if not turn.done():  # or whoever waited was given up just now
                turn.set_result(None)

    def _forget(self, client: Client, turn: asyncio.Future[None]) -> None:
        """Takes a turn that is not wanted any more off its queue."""
        connections = self._waiting.get(client.address)
        queue = connections.get(client.connection) if connections else None
        if queue is not None and turn in queue:
            queue.remove(turn)
            self._forget_if_empty(client)

    def _forget_if_empty(self, client: Client) -> None:
        connections = self._waiting[client.address]
        if not connections[client.connection]:
            del connections[client.connection]
        if not connections:
            del self._waiting[client.address]


_Queue = deque["asyncio.Future[None]"]
