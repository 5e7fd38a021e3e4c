"""Functions in threads: their results and errors come back, also to nobody."""

import asyncio
import threading

import pytest

from pipelines.serving.server.models.daemon_thread import in_daemon_thread


def test_result_comes_from_another_thread():
    async def work():
        return await in_daemon_thread(threading.current_thread)

    thread = asyncio.run(work())
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_error_is_raised_where_it_is_awaited():
    def fail():
        raise ValueError("no such model")

    with pytest.raises(ValueError, match="no such model"):
        asyncio.run(in_daemon_thread(fail))


def test_result_that_nobody_awaits_is_dropped():
    may_end, has_ended = threading.Event(), threading.Event()

    def function():
        may_end.wait(10)
        has_ended.set()

    async def work():
        task = asyncio.create_task(in_daemon_thread(function))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_end.set()
        while not has_ended.is_set():
            await asyncio.sleep(0.01)

    asyncio.run(work())
