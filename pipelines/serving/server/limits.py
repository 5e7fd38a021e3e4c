"""How much is taken in at once: requests, their bytes, and what they inflate to."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Iterator

from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.settings import Limits

_GZIP_WINDOW = 31  # zlib's number for a gzip header
_INFLATE_BYTES = 64 * 1024


class Admission:
    """Counts what is in flight, and refuses what would be too much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = 0
        self.bytes = 0

    @contextlib.contextmanager
    def request(self) -> Iterator[Held]:
        """Holds a place for one request, and the bytes that it says it takes."""
        if self.requests >= self.limits.max_in_flight:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"{self.requests} requests are in flight, which is all that this server"
                " takes at once; ask again in a second.",
            )
        self.requests += 1
        held = Held(self)
        try:
            yield held
        finally:
            self.requests -= 1
            self.bytes -= held.count


class Held:
    """The bytes of one request that are counted; they go with the request."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.count = 0

    def require(self, count: int) -> None:
        """Raises `ServingError` if a request of so many bytes would be too large."""
        limit = self._admission.limits.max_body_bytes
        if count > limit:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"The request has more than {limit} bytes, which is the limit; send"
                " fewer or smaller examples.",
                http_status=413,
            )

    def add(self, count: int) -> None:
        """Raises `ServingError` if the request or all of them hold too much."""
        self.require(self.count + count)
        if self._admission.bytes + count > self._admission.limits.max_in_flight_bytes:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                "The requests in flight hold all the memory that is for them; ask"
                " again in a second.",
            )
        self.count += count
        self._admission.bytes += count


async def read_body(
    chunks: AsyncIterator[bytes],
    held: Held,
    *,
    declared_bytes: int | None,
    encoding: str,
    timeout_seconds: float,
) -> bytes:
    """A request's body, inflated if it came as gzip.

    What is too large is refused by what it declares, before it is read.

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
    try:
        return await asyncio.wait_for(_joined(chunks, held, inflate), timeout_seconds)
    except asyncio.TimeoutError as error:
        raise ServingError(
            Code.DEADLINE_EXCEEDED,
            f"The body did not arrive within {timeout_seconds:g} seconds.",
            http_status=408,
        ) from error


async def _joined(
    chunks: AsyncIterator[bytes], held: Held, inflate: _Inflater | None
) -> bytes:
    pieces: list[bytes] = []
    async for chunk in chunks:
        for piece in inflate.pieces(chunk) if inflate else (chunk,):
            held.add(len(piece))
            pieces.append(piece)
    if inflate and not inflate.is_whole:
        raise invalid("The body is cut short, or is not gzip.")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


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
