"""Clients, and bodies that come as a test sends them, without a server."""

from __future__ import annotations

import asyncio

from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.limits import read_body


def client(address="10.0.0.1", connection=1) -> Client:
    return Client(address, (address, connection))


def run(coroutine):
    """The result of a coroutine, or the refusal that it raises."""
    return asyncio.run(asyncio.wait_for(coroutine, 20))


class Sender:
    """A body that comes as the test says; without an end unless one is sent."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue = asyncio.Queue()

    def send(self, *chunks: bytes | None) -> None:
        for chunk in chunks:
            self._queue.put_nowait(chunk)

    async def chunks(self):
        while (chunk := await self._queue.get()) is not None:
            yield chunk


def reading(admission, sender, who, *, seconds=10.0, encoding=""):
    async def read():
        with admission.holding(who) as counted:
            return await read_body(
                sender.chunks(),
                counted,
                admission.bodies,
                declared_bytes=None,
                encoding=encoding,
                timeout_seconds=seconds,
            )

    return asyncio.create_task(read())


async def settled(*tasks):
    """Results and errors of tasks after their turns; None where one goes on."""
    for _ in range(20):
        await asyncio.sleep(0)
    return [
        None if not task.done() else task.exception() or task.result() for task in tasks
    ]
