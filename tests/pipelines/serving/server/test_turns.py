"""Turns to be read: few where much comes, all where nothing does, fair to all."""

import asyncio

import pytest

from pipelines.serving.server.turns import Turns
from tests.support.bodies import client, run


class Reader:
    """Calls that hold their turn until they are let go, and the order of turns."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list = []
        self.ends: dict = {}

    def ask(self, name, who) -> asyncio.Task:
        self.ends[name] = asyncio.Event()

        async def read() -> None:
            async with self.turns.take(who):
                self.order.append(name)
                await self.ends[name].wait()

        return asyncio.create_task(read())


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_next_begins_when_one_ends():
    async def work():
        reader = Reader(Turns(few=2, most=8))
        for i in range(4):
            reader.ask(i, client(connection=i))
        await _settled()
        assert reader.order == [0, 1]
        reader.ends[1].set()
        await _settled()
        assert reader.order == [0, 1, 2]

    run(work())


def test_addresses_and_their_connections_take_turns():
    async def work():
        reader = Reader(Turns(few=1, most=8))
        for i in range(3):
            reader.ask(f"hostile {i}", client("10.0.0.1", 1))
        reader.ask("beside it", client("10.0.0.1", 2))
        reader.ask("elsewhere", client("10.0.0.2", 1))
        for _ in range(5):
            await _settled()
            reader.ends[reader.order[-1]].set()
        await _settled()
        assert reader.order[:3] == ["hostile 0", "hostile 1", "elsewhere"]
        assert reader.order[3] == "beside it"
        assert len(reader.order) == 5

    run(work())


def test_silence_lets_twice_as_many_begin():
    async def work():
        reader = Reader(Turns(few=1, most=4))
        for i in range(9):
            reader.ask(i, client(connection=i))
        counts = []
        for is_quiet in (True, True, True, False):
            reader.turns.look(is_quiet=is_quiet, has_room=True)
            await _settled()
            counts.append(len(reader.order))
        assert counts == [2, 4, 4, 4]

    run(work())


@pytest.mark.parametrize(("has_room", "begun"), [(True, 2), (False, 1)])
def test_long_turns_end_where_there_is_room(has_room, begun):
    async def work():
        reader = Reader(Turns(few=1, most=4, seconds=0.05))
        for i in range(3):
            reader.ask(i, client(connection=i))
        await _settled()
        await asyncio.sleep(0.06)
        reader.turns.look(is_quiet=False, has_room=has_room)
        await _settled()
        assert len(reader.order) == begun

    run(work())


def test_cancelled_calls_leave_no_place_behind():
    async def work():
        turns = Turns(few=1, most=4)
        reader = Reader(turns)
        first, second = (reader.ask(i, client(connection=i)) for i in range(2))
        await _settled()
        second.cancel()
        await _settled()
        reader.ends[0].set()
        first.cancel()
        third = reader.ask(2, client(connection=2))
        await _settled()
        assert reader.order == [0, 2]
        third.cancel()
        await _settled()
        assert turns.held == 0

    run(work())


def test_call_cancelled_with_its_turn_gives_it_on():
    async def work():
        reader = Reader(Turns(few=1, most=4))
        reader.ask(0, client(connection=0))
        second = reader.ask(1, client(connection=1))
        reader.ask(2, client(connection=2))
        await _settled()
        reader.ends[0].set()
        # Its turn comes and the call is given up before it can begin.
        while reader.turns.held != 1 or reader.ends[0].is_set() and second.done():
            await asyncio.sleep(0)
        second.cancel()
        await _settled()
        assert reader.order[-1] == 2

    run(work())


def test_small_messages_need_no_turn():
    async def work():
        reader = Reader(Turns(few=1, most=4))
        small, large = client(connection=1), client(connection=2)
        reader.ask("large", large)
        await _settled()
        for i in range(5):
            reader.turns.note(small, 1000)
            reader.ask(i, small)
            await _settled()
        assert reader.order == ["large", 0, 1, 2, 3, 4]
        reader.turns.note(small, 2**20)
        reader.ask("next", small)
        await _settled()
        assert "next" not in reader.order
        assert reader.turns.held == 1

    run(work())


def test_credit_is_used_up_by_silence():
    async def work():
        reader = Reader(Turns(few=1, most=4))
        reader.ask("large", client(connection=2))
        for _ in range(10):
            reader.turns.note(client(connection=1), 1000)
        for i in range(6):
            reader.ask(i, client(connection=1))
        await _settled()
        assert reader.order == ["large", 0, 1, 2, 3]

    run(work())
