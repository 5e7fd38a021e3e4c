"""Limits of what is taken in at once: requests, their bytes, and inflated bodies."""

from __future__ import annotations

import asyncio
import contextlib
import math
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator

from pipelines.serving.server.arrivals import Arrival, Arrivals, Client
from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.settings import Limits

_GZIP_WINDOW = 31  # zlib's number for a gzip header
_INFLATE_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024


class Places:
    """Requests answered at once; an address has a share, a connection half of it."""

    def __init__(self, most: int, share: float) -> None:
        self.taken = 0
        self._most = most
        self._of_address = math.ceil(most * share)
        self._of_connection = math.ceil(self._of_address / 2)
        self._by_client: Counter[Hashable] = Counter()

    def refuse_if_full(self, client: Client) -> None:
        """Raises `ServingError` if all places are taken, before a request is read.

        Reading it is most of what a refusal costs.
        """
        if self.taken >= self._most:
            raise _exhausted(
                f"{self.taken} requests are in flight, which is all that this server"
                " takes at once"
            )
        for whose, key, most in (
            ("address", client.address, self._of_address),
            ("connection", client.connection, self._of_connection),
        ):
            if self._by_client[key] >= most:
                raise _exhausted(
                    f"{most} requests of your {whose} are in flight, which is all that"
                    " one may have"
                )

    @contextlib.contextmanager
    def hold(self, client: Client) -> Iterator[None]:
        """Holds a place for a request that has come whole.

        Raises:
            ServingError: if all places are taken, or the client has its share.
        """
        self.refuse_if_full(client)
        self.taken += 1
        self._by_client.update((client.address, client.connection))
        try:
            yield
        finally:
            self.taken -= 1
            _take_off(self._by_client, client.address, 1)
            _take_off(self._by_client, client.connection, 1)


class Admission:
    """Counts what is in flight, and refuses what would be too much.

    No client takes what all others need: each has a share, and what is not there yet
    holds no place.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.bytes = 0
        self.places = Places(limits.max_in_flight, limits.client_share)
        # Calls that stay open and cost next to nothing, such as those for health.
        self.watches = Places(limits.max_in_flight, limits.client_share)
        self.bodies = Arrivals(
            most=limits.max_in_flight,
            seconds=limits.header_seconds,
            min_bytes_per_second=limits.min_body_bytes_per_second,
        )
        # gRPC hands a message over when it is whole, so its bytes cannot be watched.
        self.messages = Arrivals(
            most=limits.max_in_flight, seconds=limits.timeout_seconds
        )
        self._bytes: Counter[Hashable] = Counter()

    @property
    def share_bytes(self) -> int:
        """The bytes that one address may hold: at least those of one body."""
        limits = self.limits
        return max(
            int(limits.max_in_flight_bytes * limits.client_share),
            min(limits.max_body_bytes, limits.max_in_flight_bytes),
        )

    @contextlib.contextmanager
    def holding(self, client: Client) -> Iterator[Held]:
        """Counts the bytes of one request, from the first one to its answer."""
        held = Held(self, client)
        try:
            yield held
        finally:
            held.release()

    def take_bytes(self, client: Client, count: int, arrival: Arrival | None) -> None:
        """Raises `ServingError` if all requests, or those of an address, hold too much.

        What is not there yet is given up first, the largest before others, so that no
        client can sit on the memory.
        """
        limits = self.limits
        while self._bytes[client.address] + count > self.share_bytes:
            self._give_up_largest(arrival, client.address)
        while self.bytes + count > limits.max_in_flight_bytes:
            self._give_up_largest(arrival, None)
        self._bytes[client.address] += count
        self.bytes += count

    def _give_up_largest(self, mine: Arrival | None, address: str | None) -> None:
        largest = self.bodies.largest(address)
        if largest is None or largest is mine or not largest.bytes:
            whose = "in flight" if address is None else "of your address"
            raise _exhausted(f"The requests {whose} hold all the memory that they may")
        largest.give_up(_exhausted("Smaller requests need the memory of this one"))

    def give_back_bytes(self, client: Client, count: int) -> None:
        """Frees bytes that a client held."""
        self.bytes -= count
        _take_off(self._bytes, client.address, count)


class Held:
    """The bytes of one request that are counted; they go with the request."""

    def __init__(self, admission: Admission, client: Client) -> None:
        self.client = client
        self.count = 0
        self._admission = admission

    def require(self, count: int) -> None:
        """Raises `ServingError` if a request of `count` bytes would be too large."""
        limit = self._admission.limits.max_body_bytes
        if count > limit:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"The request has more than {limit} bytes, which is the limit; send"
                " fewer or smaller examples.",
                http_status=413,
            )

    def add(
        self, count: int, arrival: Arrival | None = None, *, copies: int = 1
    ) -> None:
        """Raises `ServingError` if the request or all of them hold too much.

        `copies` says how often its bytes are in memory while it is answered.
        """
        self.require(self.count + count)
        # One request alone is always taken, however often it is in memory.
        count = max(count, min(copies * count, self._admission.share_bytes))
        self._admission.take_bytes(self.client, count, arrival)
        self.count += count

    def release(self) -> None:
        """Gives its bytes back."""
        self._admission.give_back_bytes(self.client, self.count)
        self.count = 0


def _exhausted(why: str) -> ServingError:
    return ServingError(Code.RESOURCE_EXHAUSTED, f"{why}; ask again in a second.")


def _take_off(counts: Counter[Hashable], key: Hashable, count: int) -> None:
    """Names of clients that are gone are not kept."""
    counts[key] -= count
    if not counts[key]:
        del counts[key]


async def read_body(
    chunks: AsyncIterator[bytes],
    held: Held,
    bodies: Arrivals,
    *,
    declared_bytes: int | None,
    encoding: str,
    timeout_seconds: float,
) -> bytes:
    """A request's body, inflated if it came as gzip.

    What is too large is refused by what it declares, before it is read. While it comes
    it holds no place, and gives way to others as `bodies` says.

    Raises:
        ServingError: if it is too large, too slow, or not what its encoding says.
    """
    if encoding not in ("", "identity", "gzip"):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Content-Encoding is {encoding!r}; allowed are gzip and none.",
            http_status=415,
        )
    inflate = _Inflater() if encoding == "gzip" else None
    held.require(declared_bytes or 0)
    late = ServingError(
        Code.DEADLINE_EXCEEDED,
        f"The body did not arrive within {timeout_seconds:g} seconds.",
        http_status=408,
    )
    pieces = _Pieces()

    def release() -> None:
        held.release()
        pieces.clear()

    with bodies.expect(held.client, subject="The body", release=release) as arrival:
        timer = asyncio.get_running_loop().call_later(
            timeout_seconds, arrival.give_up, late
        )
        try:
            async for chunk in chunks:
                for piece in inflate.pieces(chunk) if inflate else (chunk,):
                    held.add(len(piece), arrival)
                    arrival.bytes = held.count
                    pieces.add(piece)
        finally:
            timer.cancel()
    if inflate and not inflate.is_whole:
        raise invalid("The body is cut short, or is not gzip.")
    return pieces.joined()


class _Pieces:
    """The part of a body that has come. Small pieces are put together as they come.

    Single bytes in a list take fifty times as much; and one buffer that grows is moved
    again and again, which leaves holes in memory that nothing fits into.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes | bytearray] = []

    def add(self, piece: bytes) -> None:
        last = self._pieces[-1] if self._pieces else None
        if last is None or len(last) + len(piece) > _PIECE_BYTES:
            self._pieces.append(piece)
            return
        if isinstance(last, bytes):
            last = self._pieces[-1] = bytearray(last)
        last += piece

    def clear(self) -> None:
        self._pieces.clear()

    def joined(self) -> bytes:
        """All of them, which are gone from here then."""
        pieces, self._pieces = self._pieces, []
        if len(pieces) == 1:
            return bytes(pieces[0])
        return b"".join(pieces)


class _Inflater:
    """Gzip in small pieces, so that what inflates a thousandfold is noticed early."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def is_whole(self) -> bool:
        return self._zlib.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        piece = b""
        # A full piece may have more behind it, even if all input is consumed.
        while (chunk or len(piece) == _INFLATE_BYTES) and not self._zlib.eof:
            try:
                piece = self._zlib.decompress(chunk, _INFLATE_BYTES)
            except zlib.error as error:
                raise invalid(f"The body is not gzip: {error}.") from error
            if piece:
                yield piece
            chunk = self._zlib.unconsumed_tail
