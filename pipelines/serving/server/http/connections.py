"""Connections and their headers have bounds: in seconds, in bytes, and in number.

uvicorn ends a connection that is idle between requests, and waits without end for the
first byte of a request and for the rest of its headers, which may be as many as a
client likes, as may the requests that it sends without waiting for answers.
"""

from __future__ import annotations

import asyncio

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipelines.serving.server.settings import Limits

# Requests of one connection that wait behind one that is not answered yet.
_MOST_PIPELINED = 16
# What a client may go on sending after a refusal, so that it gets to read it.
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 2**20
_BETWEEN = ": "
_TOO_LARGE = b"431 Request Header Fields Too Large"


def limited(limits: Limits) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with these limits for all of its connections together."""
    shared = {"limits": limits, "waiting": _Waiting()}
    return type("Limited", (_LimitedProtocol,), shared)


class _LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, whose connections have `limits` all together."""

    limits: Limits
    waiting: _Waiting

    _header_timer: asyncio.TimerHandle | None = None
    _counted = False
    _lingers = False
    _left_to_linger = _LINGER_BYTES
    _header_bytes = 0
    # Bytes that came since something of a request was complete.
    _unfinished_bytes = 0
    _finished_something = False
    _in_headers = True
    _refusal: tuple[bytes, str] | None = None
    _address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if (
            self.waiting.open_count >= self.limits.max_connections
            and not self.waiting.make_room()
        ):
            transport.close()
            return
        self.waiting.open_count += 1
        self._counted = True
        super().connection_made(transport)  # type: ignore[arg-type]
        self._address = self.client[0] if self.client else ""
        self.waiting.add(self._address, self)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        if self._lingers:
            self._left_to_linger -= len(data)
            if self._left_to_linger < 0:
                self._hang_up()
            return
        if not self._counted or self.transport.is_closing():
            return
        is_between = self.cycle is None or self.cycle.response_complete
        if is_between and self._header_timer is None:
            self._await_headers()
        self._finished_something = False
        super().data_received(data)
        # One header that goes on and on is seen here only: the parser keeps it.
        if self._finished_something:
            self._unfinished_bytes = 0
        else:
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > self.limits.max_header_bytes:
                self._refuse_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._add_header_bytes(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._add_header_bytes(len(name) + len(value) + len(_BETWEEN))
        # Lines behind a body in chunks are trailers, not headers.
        if self._in_headers:
            if len(self.headers) >= self.limits.max_header_count:
                self._refuse(
                    _TOO_LARGE,
                    f"The request has more than {self.limits.max_header_count} headers,"
                    " which is the limit; send fewer.",
                )
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._finished_something = True
        self._in_headers = False
        if len(self.pipeline) >= _MOST_PIPELINED:
            self._refuse(
                b"429 Too Many Requests",
                f"More than {_MOST_PIPELINED} requests wait on this connection;"
                " read the answers before you send more.",
            )
        self.waiting.remove(self._address, self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._finished_something = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._finished_something = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self.waiting.add(self._address, self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._counted:
            return
        self.waiting.open_count -= 1
        self.waiting.remove(self._address, self)
        self._counted = False
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers for uvicorn when the parser, or one of the above, gives up."""
        if self._lingers or self.transport.is_closing():
            return
        status, why = self._refusal or (b"400 Bad Request", msg)
        body = orjson.dumps({"error": why})
        head = (
            b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n" % (status, len(body))
        )
        if self._is_answering():  # and would be cut by another answer
            self._hang_up()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(head + body)
        self._linger()

    def _is_answering(self) -> bool:
        if self.cycle is None or self.cycle.response_complete:
            return False
        return self.cycle.response_started or bool(self.pipeline)

    def _add_header_bytes(self, count: int) -> None:
        self._header_bytes += count
        if self._header_bytes > self.limits.max_header_bytes:
            self._refuse(_TOO_LARGE, _too_many_bytes(self.limits))

    def _refuse(self, status: bytes, why: str) -> None:
        """Has the parser stop, and uvicorn call `send_400_response`."""
        self._refusal = (status, why)
        raise httptools.HttpParserError(why)

    def _refuse_headers(self) -> None:
        self._refusal = (_TOO_LARGE, _too_many_bytes(self.limits))
        self.send_400_response("")

    def _linger(self) -> None:
        """Reads on for a moment, or the client may lose the answer."""
        self._lingers = True
        self._stop_timer()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._header_timer = self.loop.call_later(_LINGER_SECONDS, self._hang_up)

    def _await_headers(self) -> None:
        self._header_timer = self.loop.call_later(
            self.limits.header_seconds, self._hang_up
        )

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _hang_up(self) -> None:
        self._header_timer = None
        self.transport.close()


def _too_many_bytes(limits: Limits) -> str:
    return (
        f"The headers have more than {limits.max_header_bytes} bytes, which is the"
        " limit; send less."
    )


class _Waiting:
    """Open connections; those without a request by address, oldest first."""

    def __init__(self) -> None:
        self.open_count = 0
        self._by_address: dict[str, dict[HttpToolsProtocol, None]] = {}

    def add(self, address: str, connection: HttpToolsProtocol) -> None:
        self.remove(address, connection)
        self._by_address.setdefault(address, {})[connection] = None

    def remove(self, address: str, connection: HttpToolsProtocol) -> None:
        connections = self._by_address.get(address, {})
        connections.pop(connection, None)
        if not connections:
            self._by_address.pop(address, None)

    def make_room(self) -> bool:
        """Closes the oldest connection of the address that has most, if any waits."""
        if not self._by_address:
            return False
        address = max(self._by_address, key=lambda key: len(self._by_address[key]))
        oldest = next(iter(self._by_address[address]))
        self.remove(address, oldest)
        # At once, whatever was written and not read.
        oldest.transport.abort()
        return True
