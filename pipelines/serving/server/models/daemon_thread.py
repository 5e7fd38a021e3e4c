"""Threads that do not keep the process from ending."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


async def in_daemon_thread(function: Callable[[], _Result]) -> _Result:
    """Calls a function that takes seconds, such as loading a model.

    A pool's threads are waited for at exit; a model that loads for a minute would hold
    up the end of the server that long.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def settle(finished: concurrent.futures.Future[_Result]) -> None:
        if future.done():  # nobody waits any more
            return
        error = finished.exception()
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(finished.result())

    def work() -> None:
        finished: concurrent.futures.Future[_Result] = concurrent.futures.Future()
        try:
            finished.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
            finished.set_exception(error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, finished)

    threading.Thread(target=work, name="load", daemon=True).start()
    return await future
