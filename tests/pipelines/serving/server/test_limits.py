"""Places and memory for clients, in this process."""

import asyncio
import contextlib

import pytest

from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.limits import Admission, Places
from pipelines.serving.server.settings import Limits
from tests.support.bodies import Sender, client, reading, run, settled


def held(places: Places, one: Client, count: int, stack: contextlib.ExitStack) -> None:
    for _ in range(count):
        stack.enter_context(places.hold(one))


def test_address_and_connection_have_shares_of_places():
    places = Places(8, 0.5)
    with contextlib.ExitStack() as stack:
        held(places, client(connection=1), 2, stack)
        with pytest.raises(
            ServingError, match="2 requests of your connection"
        ) as error:
            places.refuse_if_full(client(connection=1))
        assert error.value.code == Code.RESOURCE_EXHAUSTED
        held(places, client(connection=2), 2, stack)
        with pytest.raises(ServingError, match="4 requests of your address"):
            places.refuse_if_full(client(connection=3))
        held(places, client("10.0.0.2"), 2, stack)
        held(places, client("10.0.0.3"), 2, stack)
        with pytest.raises(ServingError, match="8 requests are in flight"):
            places.refuse_if_full(client("10.0.0.4"))
    assert places.taken == 0
    assert not places._by_client


@pytest.mark.parametrize("most", [1, 2, 3])
def test_every_client_may_have_one(most):
    with Places(most, 0.01).hold(client()):
        pass


def test_a_body_in_pieces_is_put_together():
    async def work():
        admission, sender = Admission(Limits()), Sender()
        task = reading(admission, sender, client())
        sender.send(*(b"%d," % i for i in range(1000)), None)
        assert await task == b"".join(b"%d," % i for i in range(1000))
        assert (admission.bytes, len(admission.bodies)) == (0, 0)

    run(work())


def test_memory_is_taken_from_largest_arriving_body():
    async def work():
        limits = Limits(max_body_bytes=600, max_in_flight_bytes=1000)
        admission, large, small = Admission(limits), Sender(), Sender()
        first = reading(admission, large, client(connection=1))
        large.send(b"a" * 590)
        await settled()
        # The share of an address is what one body may have, so this one is over it.
        second = reading(admission, small, client(connection=2))
        small.send(b"b" * 20, None)
        refused, answered = await settled(first, second)
        assert "Smaller requests need the memory" in str(refused)
        assert answered == b"b" * 20
        assert admission.bytes == 0

    run(work())


def test_what_is_being_answered_keeps_its_memory():
    async def work():
        limits = Limits(max_body_bytes=600, max_in_flight_bytes=1000)
        admission, sender = Admission(limits), Sender()
        with (
            admission.holding(client("10.0.0.1")) as one,
            admission.holding(client("10.0.0.2")) as other,
        ):
            one.add(500)
            other.add(490)
            task = reading(admission, sender, client("10.0.0.3"))
            sender.send(b"c" * 20, None)
            with pytest.raises(ServingError, match="in flight hold all the memory"):
                await task
            assert admission.bytes == 990

    run(work())


def test_a_cancelled_reader_is_cancelled_and_leaves_nothing():
    async def work():
        admission, sender = Admission(Limits()), Sender()
        task = reading(admission, sender, client())
        sender.send(b"abc")
        await settled()
        assert admission.bytes == 3
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (admission.bytes, len(admission.bodies)) == (0, 0)

    run(work())
