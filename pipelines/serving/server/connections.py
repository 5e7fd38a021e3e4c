"""Connections that send nothing, or too slowly, are closed; and there is a last one.

uvicorn ends a connection that is idle between requests, and waits without end for the
first byte of a request and for the rest of its headers.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipelines.serving.server.settings import Limits


def limited(limits: Limits) -> type[HttpToolsProtocol]:
    """uvicorn's protocol with these limits for all of its connections together."""
    open_count = 0

    class Limited(HttpToolsProtocol):
        _header_timer: asyncio.TimerHandle | None = None
        _counted = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal open_count
            if open_count >= limits.max_connections:
                transport.close()
                return
            open_count += 1
            self._counted = True
            super().connection_made(transport)  # type: ignore[arg-type]
            self._await_headers()

        def data_received(self, data: bytes) -> None:
            if not self._counted:
                return
            is_between = self.cycle is None or self.cycle.response_complete
            if is_between and self._header_timer is None:
                self._await_headers()
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._stop_timer()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            nonlocal open_count
            if not self._counted:
                return
            open_count -= 1
            self._counted = False
            self._stop_timer()
            super().connection_lost(exc)

        def _await_headers(self) -> None:
            self._header_timer = self.loop.call_later(
                limits.header_seconds, self._give_up
            )

        def _stop_timer(self) -> None:
            if self._header_timer is not None:
                self._header_timer.cancel()
                self._header_timer = None

        def _give_up(self) -> None:
            self._header_timer = None
            self.transport.close()

    return Limited
