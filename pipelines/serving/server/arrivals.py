"""Bodies and messages that have begun to arrive and are not there yet.

A client that sends slowly, or never ends what it sends, holds nothing that others need:
what is not there within its time is given up, and where there are too many, the client
that has most of them loses one for each that comes. So there is always room for one
more, whoever sends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import ipaddress
import time
import urllib.parse
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from pipelines.serving.server.errors import Code, ServingError


@dataclasses.dataclass(frozen=True)
class Client:
    """A sender: an address, and one of the connections from there."""

    address: str
    connection: Hashable

    @classmethod
    def of_scope(cls, scope: Any) -> Client:
        """The client of a REST request; each connection has one request at a time."""
        address, port = scope.get("client") or ("", 0)
        return cls(_network(address), ("REST", address, port))

    @classmethod
    def of_peer(cls, peer: str) -> Client:
        """The client of a call, from what gRPC calls its peer: `ipv4:10.0.0.7:5040`."""
        address = urllib.parse.unquote(peer.partition(":")[2].rpartition(":")[0])
        return cls(_network(address.strip("[]")), peer)


@functools.lru_cache(4096)
def _network(address: str) -> str:
    """The network of one client: an IPv4 address, or the 64 bits of an IPv6 site."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a socket in the file system
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))


class Arrivals:
    """All that is on its way, by client; at most `most` at once.

    `seconds` is how often each has to have brought `min_bytes_per_second`. Where bytes
    cannot be seen as they come, as those of a call, that is the time for all of them.
    """

    def __init__(
        self, *, most: int, seconds: float, min_bytes_per_second: float = 0.0
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._min_bytes = min_bytes_per_second * seconds
        self._count = 0
        # By address, then by connection, the oldest first.
        self._coming: dict[str, dict[Hashable, dict[Arrival, None]]] = {}

    def __len__(self) -> int:
        return self._count

    @contextlib.contextmanager
    def expect(
        self,
        client: Client,
        *,
        subject: str,
        release: Callable[[], None] = lambda: None,
    ) -> Iterator[Arrival]:
        """Inside, the running task waits for what a client sends.

        `release` gives back at once what it holds, when it is given up.

        Raises:
            ServingError: if it is given up, in place of what the task waits for.
        """
        if self._count >= self._most:
            self._stalest().give_up(_crowded(subject))
        arrival = Arrival(self, client, subject, release)
        connections = self._coming.setdefault(client.address, {})
        connections.setdefault(client.connection, {})[arrival] = None
        self._count += 1
        arrival.watch(self._seconds, self._min_bytes)
        try:
            yield arrival
        except asyncio.CancelledError:
            if arrival.reason is None:
                raise
            _uncancel()
            reason, arrival.reason = arrival.reason, None
            raise reason from None
        finally:
            arrival.ended()
            self._forget(arrival)

    def largest(self, address: str | None = None) -> Arrival | None:
        """The arrival with most bytes, of this address or else of the largest one."""
        among = self._coming if address is None else {address} & self._coming.keys()
        by_address = [
            [arrival for group in self._coming[key].values() for arrival in group]
            for key in among
        ]
        if not by_address:
            return None
        fullest = max(by_address, key=lambda group: sum(a.bytes for a in group))
        return max(fullest, key=lambda arrival: arrival.bytes)

    @property
    def read(self) -> list[Arrival]:
        """All that are read by now; the bytes of others stay with their clients."""
        return [
            arrival
            for connections in self._coming.values()
            for group in connections.values()
            for arrival in group
            if arrival.is_reading
        ]

    def give_up_oldest(self, kept: int, reason: ServingError) -> None:
        """Gives up all that are read but the newest `kept`."""
        arrivals = sorted(self.read, key=lambda arrival: arrival.since)
        for arrival in arrivals[: len(arrivals) - kept]:
            arrival.give_up(reason)

    def _stalest(self) -> Arrival:
        """The oldest of the fullest connection of the fullest address."""
        fullest = max(self._coming.values(), key=_arrivals)
        connection: dict[Arrival, None] = max(fullest.values(), key=len)
        return next(iter(connection))

    def _forget(self, arrival: Arrival) -> None:
        client = arrival.client
        connections = self._coming.get(client.address, {})
        arrivals = connections.get(client.connection, {})
        if arrival not in arrivals:
            return
        self._count -= 1
        del arrivals[arrival]
        if not arrivals:
            del connections[client.connection]
        if not connections:
            del self._coming[client.address]


def _arrivals(connections: dict[Hashable, dict[Arrival, None]]) -> int:
    return sum(map(len, connections.values()))


class Arrival:
    """One body or message, and the task that waits for it."""

    def __init__(
        self,
        all_of_them: Arrivals,
        client: Client,
        subject: str,
        release: Callable[[], None],
    ) -> None:
        self.client = client
        self.bytes = 0
        self.is_reading = False
        self.since = time.monotonic()
        self.reason: ServingError | None = None
        self._all = all_of_them
        self._subject = subject
        self._release = release
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, seconds: float, min_bytes: float) -> None:
        """Gives it up unless `min_bytes` come every `seconds`."""
        before = self.bytes

        def check() -> None:
            if self.bytes - before < max(min_bytes, 1):
                self.give_up(self._late(seconds, min_bytes))
            else:
                self.watch(seconds, min_bytes)

        self._timer = asyncio.get_running_loop().call_later(seconds, check)

    def give_up(self, reason: ServingError) -> None:
        """Has its task go on with this error, and leaves its room to others."""
        if self.reason is None and self._task is not None:
            self.reason = reason
            self._all._forget(self)
            self._release()
            self._task.cancel()

    def ended(self) -> None:
        """Stops watching."""
        if self._timer is not None:
            self._timer.cancel()

    def _late(self, seconds: float, min_bytes: float) -> ServingError:
        missing = f"{min_bytes:.0f} bytes more" if min_bytes else "it"
        return ServingError(
            Code.DEADLINE_EXCEEDED,
            f"{self._subject} did not arrive within {seconds:g} seconds, in which"
            f" {missing} had to come.",
            http_status=408,
        )


def _crowded(subject: str) -> ServingError:
    return ServingError(
        Code.RESOURCE_EXHAUSTED,
        f"{subject} was slower than others, which need its room; ask again in a"
        " second.",
    )


def _uncancel() -> None:
    """Says that a cancellation was ours and is dealt with (Python 3.11 counts them)."""
    uncancel = getattr(asyncio.current_task(), "uncancel", None)
    if uncancel is not None:
        uncancel()
