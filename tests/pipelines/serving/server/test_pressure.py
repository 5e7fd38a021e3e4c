"""Messages give way when memory grows, in this process."""

import asyncio

import pytest

from pipelines.serving.server.arrivals import Arrivals
from pipelines.serving.server.pressure import Pressure, allocated_bytes
from tests.support.bodies import client, run


def _waiting(arrivals: Arrivals, count: int) -> list[asyncio.Task]:
    async def wait(i: int) -> None:
        with arrivals.expect(client(connection=i), subject="The message"):
            await asyncio.sleep(60)

    return [asyncio.create_task(wait(i)) for i in range(count)]


def test_messages_give_way_when_memory_grows():
    async def work():
        arrivals = Arrivals(most=100, seconds=60)
        memory = [1000]
        pressure = Pressure(
            arrivals, most_bytes=400, bytes_of_each=100, allocated=lambda: memory[0]
        )
        pressure.watch()
        tasks = _waiting(arrivals, 6)
        await asyncio.sleep(0.1)
        assert len(arrivals) == 6
        memory[0] = 1101
        await asyncio.sleep(0.1)
        assert [one.done() for one in tasks] == [True] * 4 + [False] * 2
        assert all("all the memory" in str(one.exception()) for one in tasks[:4])
        for one in tasks[4:]:
            one.cancel()

    run(work())


def test_few_messages_are_left_alone_whatever_memory_does():
    async def work():
        arrivals = Arrivals(most=100, seconds=60)
        memory = [1000]
        pressure = Pressure(
            arrivals, most_bytes=400, bytes_of_each=100, allocated=lambda: memory[0]
        )
        pressure.watch()
        tasks = _waiting(arrivals, 2)
        memory[0] = 10_000  # a model that was loaded
        await asyncio.sleep(0.1)
        tasks += _waiting(arrivals, 5)
        await asyncio.sleep(0.1)
        assert not any(one.done() for one in tasks)
        for one in tasks:
            one.cancel()

    run(work())


def test_allocated_memory_is_seen():
    allocated = allocated_bytes()
    if allocated is None:
        pytest.skip("this C library does not say")
    before = allocated()
    kept = bytearray(50_000_000)
    assert allocated() - before > 49_000_000
    del kept
    assert allocated() - before < 10_000_000


def test_freed_memory_is_given_back_with_holes():
    async def work():
        arrivals = Arrivals(most=100, seconds=60)
        held, times = [1000], []
        pressure = Pressure(
            arrivals,
            most_bytes=400,
            bytes_of_each=100,
            allocated=lambda: 1000,
            held=lambda: held[0],
            give_back=lambda: (times.append(held[0]), held.__setitem__(0, 1050)),
        )
        pressure.watch()
        await asyncio.sleep(0.1)
        assert times == []
        pressure.watch()
        held[0] = 1101
        await asyncio.sleep(0.2)
        assert times == [1101]

    run(work())
