"""Calls whose message does not come, or cannot be read.

grpcio reads the message of a call before it calls anything of ours, and waits for it
without end. So calls of one message are taken here for calls of a stream: these are
handed over with their metadata, and the message is read within its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from pipelines.serving.server import memory
from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.errors import ServingError, invalid
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.pressure import Pressure, allocated_bytes, held_bytes
from pipelines.serving.server.turns import Turns

_STATUS = {code.value[0]: code for code in grpc.StatusCode}
# A message is parsed, made arrays of, and these are tensors then; two are there at
# once, and TensorFlow works on a third.
_COPIES = 3


@dataclasses.dataclass
class _Message:
    """A message that came: a request, or the problem with it; and its bytes."""

    content: Any
    bytes: int
    problem: str = ""

    def take(self) -> Any:
        """The request, which is not kept here: whoever takes it can free it."""
        content, self.content = self.content, None
        return content


class AwaitMessages(grpc.aio.ServerInterceptor):
    """Gives up what does not come, and counts what does."""

    def __init__(self, admission: Admission) -> None:
        limits, allocated = admission.limits, allocated_bytes()
        self._admission = admission
        fitting = limits.max_in_flight_bytes // limits.max_body_bytes
        self._turns = Turns(
            # Without a look at memory, nothing says when more may begin.
            few=max(1, fitting // 8) if allocated else limits.max_in_flight,
            most=limits.max_in_flight,
        )
        self._pressure = Pressure(
            admission.messages,
            self._turns,
            most_bytes=limits.max_in_flight_bytes,
            bytes_of_each=limits.max_body_bytes,
            allocated=allocated,
            held=held_bytes,
            give_back=memory.give_back,
        )
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}

    async def intercept_service(
        self, continuation: Callable[..., Any], details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        """Has a call of one message wait for it here."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        if details.method not in self._handlers:
            self._handlers[details.method] = self._watched(handler)
        return self._handlers[details.method]

    def _watched(self, handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
        def read(content: bytes) -> _Message:
            try:
                return _Message(handler.request_deserializer(content), len(content))
            except DecodeError as error:
                # grpcio calls that unknown; it is the client's mistake.
                return _Message(None, len(content), str(error))

        options = {
            "request_deserializer": read,
            "response_serializer": handler.response_serializer,
        }
        if not handler.response_streaming:

            async def answer(_: Any, context: grpc.aio.ServicerContext) -> Any:
                async with self._message(context) as message:
                    return await handler.unary_unary(message.take(), context)

            return grpc.stream_unary_rpc_method_handler(answer, **options)

        async def watch(_: Any, context: grpc.aio.ServicerContext) -> None:
            async with self._message(context, stays=True) as message:
                await handler.unary_stream(message.take(), context)

        return grpc.stream_stream_rpc_method_handler(watch, **options)

    @contextlib.asynccontextmanager
    async def _message(
        self, context: grpc.aio.ServicerContext, *, stays: bool = False
    ) -> AsyncIterator[_Message]:
        """The message of a call; its bytes count until the call is answered.

        A call that `stays` open takes a place among these.
        """
        client = Client.of_peer(context.peer())
        with contextlib.ExitStack() as held:
            message, refusal = None, invalid("")
            try:
                message = await self._arrived(client, context)
                held.enter_context(self._admission.holding(client)).add(
                    message.bytes, copies=_COPIES
                )
                if stays:
                    held.enter_context(self._admission.watches.hold(client))
            except ServingError as error:
                refusal, message = error.without_trace(), None
            if message is None:
                await context.abort(_STATUS[refusal.code], refusal.message)
            else:
                yield message

    async def _arrived(
        self, client: Client, context: grpc.aio.ServicerContext
    ) -> _Message:
        with self._admission.messages.expect(client, subject="The message") as arrival:
            self._pressure.watch()
            async with self._turns.take(client):
                arrival.is_reading = True
                message = await _read(context)
        if message is not grpc.aio.EOF:
            self._turns.note(client, message.bytes)
        if message is grpc.aio.EOF:
            raise invalid("The call ended without its message.")
        if message.problem:
            raise invalid(
                f"The bytes are not a message of this kind: {message.problem}"
            )
        return message


async def _read(context: grpc.aio.ServicerContext) -> Any:
    """The message of a call; the reading goes on if this is cancelled.

    Cancelled itself, grpcio would never free the message that the C library has. It
    ends by itself when the call does.
    """
    reading = asyncio.ensure_future(context.read())
    reading.add_done_callback(_retrieve)
    return await asyncio.shield(reading)


def _retrieve(reading: asyncio.Future[Any]) -> None:
    """Looks at the error of a call that ended, which nobody waits for any more."""
    if not reading.cancelled():
        reading.exception()
