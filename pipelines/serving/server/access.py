"""Access by a bearer token, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection
from typing import Any

import grpc
from starlette.types import ASGIApp, Receive, Scope, Send

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.http import cross_origin
from pipelines.serving.server.http.rest import error_response

# What a load balancer asks, which has no token.
_OPEN_PATHS = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")
_MESSAGE = "This server needs the header `Authorization: Bearer TOKEN`."
_SCHEME = b"bearer"


def _is_right(header: bytes, token: str) -> bool:
    """The name of the scheme is the same in letters of either case: RFC 9110, 11.1."""
    scheme, _, credentials = header.partition(b" ")
    is_same = hmac.compare_digest(credentials.strip(b" "), token.encode())
    return scheme.lower() == _SCHEME and is_same


class RequireToken:
    """An ASGI application behind a token, but for health and `open_paths`."""

    def __init__(
        self,
        application: ASGIApp,
        token: str,
        *,
        open_paths: Collection[str] = (),
        cors: bool = False,
    ) -> None:
        self._application = application
        self._token = token
        self._cors = cors
        self._open_paths = {*_OPEN_PATHS, *open_paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A browser asks OPTIONS before it sends the token.
        is_open = scope["path"] in self._open_paths or scope["method"] == "OPTIONS"
        if not is_open:
            header = dict(scope["headers"]).get(b"authorization", b"")
            if not _is_right(header, self._token):
                refused = error_response(ServingError(Code.UNAUTHENTICATED, _MESSAGE))
                if self._cors:
                    refused.headers.update(cross_origin.READABLE)
                await refused(scope, receive, send)
                return
        await self._application(scope, receive, send)


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """gRPC services behind a token; health stays open.

    It refuses by a call's metadata, before the message is there.
    """

    def __init__(self, token: str) -> None:
        self._token = token

        async def refuse(_: Any, context: grpc.aio.ServicerContext) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, _MESSAGE)

        # One that takes a stream is called without waiting for a message.
        self._refusal = grpc.stream_unary_rpc_method_handler(refuse)

    async def intercept_service(
        self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """Passes a call on if it has the token, or is for health."""
        if details.method.startswith("/grpc.health."):
            return await continuation(details)
        header = dict(details.invocation_metadata).get("authorization", "")
        if _is_right(header.encode(), self._token):
            return await continuation(details)
        return self._refusal
