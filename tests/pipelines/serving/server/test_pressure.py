"""Messages give way when memory grows, in this process."""

import asyncio
import contextlib

import pytest

from pipelines.serving.server.arrivals import Arrivals
from pipelines.serving.server.pressure import Pressure, allocated_bytes
from pipelines.serving.server.turns import Turns
from tests.support.bodies import client, run

GROWTH = 100  # a quarter of what messages may take
EACH = 100


def _turns() -> Turns:
    return Turns(few=1, most=100)


def _read(arrivals: Arrivals, count: int) -> list[asyncio.Task]:
    async def wait(i: int) -> None:
        with arrivals.expect(client(connection=i), subject="The message") as arrival:
            arrival.is_reading = True
            await asyncio.sleep(60)

    return [asyncio.create_task(wait(i)) for i in range(count)]


@contextlib.contextmanager
def _watched(memory: list[int], *, most_bytes: int = 400, **options):
    arrivals = Arrivals(most=100, seconds=60)
    pressure = Pressure(
        arrivals,
        options.pop("turns", _turns()),
        most_bytes=most_bytes,
        bytes_of_each=EACH,
        allocated=options.pop("allocated", lambda: memory[0]),
        **options,
    )
    pressure.watch()
    tasks: list[asyncio.Task] = []
    yield arrivals, pressure, tasks
    for one in tasks:
        one.cancel()


def test_oldest_messages_give_way_when_memory_grows():
    async def work():
        large: list[Arrivals] = []

        def allocated() -> int:
            """Four of them have as much as they may."""
            return 1000 + sum(GROWTH + EACH * (len(a.read) - 4) for a in large)

        with _watched([], allocated=allocated) as (arrivals, _, tasks):
            tasks += _read(arrivals, 6)
            await asyncio.sleep(0.1)
            assert len(arrivals.read) == 6
            large.append(arrivals)
            await asyncio.sleep(0.2)
            assert [one.done() for one in tasks] == [True] * 2 + [False] * 4
            assert all("all the memory" in str(one.exception()) for one in tasks[:2])

    run(work())


def test_messages_that_fit_are_left_alone():
    """A quarter of the memory is for one of them, and it is the newest."""

    async def work():
        memory = [1000]
        with _watched(memory) as (arrivals, _, tasks):
            tasks += _read(arrivals, 3)
            await asyncio.sleep(0.05)
            memory[0] += GROWTH + 4 * EACH
            await asyncio.sleep(0.1)
            assert [one.done() for one in tasks] == [True, True, False]

    run(work())


def test_memory_of_a_loaded_model_is_left_alone():
    async def work():
        memory = [1000]
        with _watched(memory) as (arrivals, _, tasks):
            tasks += _read(arrivals, 1)
            await asyncio.sleep(0.05)
            memory[0] = 10_000  # a model that was loaded
            await asyncio.sleep(0.1)
            memory[0] -= GROWTH + 3 * EACH
            tasks += _read(arrivals, 5)
            await asyncio.sleep(0.1)
            assert not any(one.done() for one in tasks)

    run(work())


def test_turns_follow_what_memory_does():
    async def work():
        memory, coming, turns = [1000], [500], _turns()

        def allocated() -> int:
            memory[0] += coming[0]
            return memory[0]

        options = {"most_bytes": 12_800, "turns": turns, "allocated": allocated}
        with _watched(memory, **options) as (arrivals, _, tasks):
            tasks += _read(arrivals, 1)
            begun: list[int] = []
            tasks += [asyncio.create_task(_turn(turns, i, begun)) for i in range(30)]
            await asyncio.sleep(0.15)
            assert len(begun) == 1
            coming[0] = 0
            while len(begun) < 30:
                await asyncio.sleep(0.02)

    run(work())


async def _turn(turns: Turns, i: int, begun: list[int]) -> None:
    async with turns.take(client(connection=i)):
        begun.append(i)
        await asyncio.sleep(60)


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
        held, times = [1000], []

        def give_back() -> None:
            times.append(held[0])
            held[0] = 1020

        memory = [1000]
        with _watched(memory, held=lambda: held[0], give_back=give_back) as (
            arrivals,
            pressure,
            tasks,
        ):
            tasks += _read(arrivals, 1)
            await asyncio.sleep(0.1)
            assert times == []
            held[0] = 1051
            await asyncio.sleep(0.1)
            assert times == [1051]

    run(work())


def test_freed_memory_is_given_back_again_at_rest():
    """What stays under load says nothing of what can go afterwards."""

    async def work():
        held, times = [1000], []

        def give_back() -> None:
            times.append(held[0])
            held[0] = 1200 if len(times) == 1 else 1000

        with _watched([1000], held=lambda: held[0], give_back=give_back) as (
            arrivals,
            pressure,
            tasks,
        ):
            tasks += _read(arrivals, 1)
            await asyncio.sleep(0.05)
            held[0] = 1300
            await asyncio.sleep(0.2)
            assert times == [1300]
            tasks[0].cancel()
            await asyncio.sleep(1.2)
            assert times == [1300, 1200]
            pressure.watch()
            await asyncio.sleep(0.1)
            assert times == [1300, 1200]

    run(work())
