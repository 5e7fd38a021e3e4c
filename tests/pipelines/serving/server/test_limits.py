"""Who gets a place, and what becomes of what does not arrive, in this process."""

import asyncio
import contextlib

import pytest

from pipelines.serving.server.arrivals import Arrivals, Client
from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.limits import Admission, Places, read_body
from pipelines.serving.server.pressure import Pressure, allocated_bytes
from pipelines.serving.server.settings import Limits


def client(address="10.0.0.1", connection=1) -> Client:
    return Client(address, (address, connection))


def run(coroutine):
    """What a coroutine gives, or the refusal that it raises."""
    return asyncio.run(asyncio.wait_for(coroutine, 20))


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:5040", "10.0.0.7"),
        ("ipv6:%5B::1%5D:5040", "::/64"),
        ("ipv6:[2001:db8:1:2:3::9]:80", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:5040", "10.0.0.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5040", "fe80::/64"),
    ],
)
def test_an_address_is_what_one_client_has(peer, address):
    assert Client.of_peer(peer).address == address
    assert Client.of_peer(peer).connection == peer


def test_the_same_address_over_both_interfaces():
    over_rest = Client.of_scope({"client": ("10.0.0.7", 80)})
    assert over_rest.address == Client.of_peer("ipv4:10.0.0.7:80").address
    assert Client.of_scope({"client": None}).address == ""


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
    """What tasks have to say after they had their turns; None if they go on."""
    for _ in range(20):
        await asyncio.sleep(0)
    return [
        None if not one.done() else one.exception() or one.result() for one in tasks
    ]


def test_a_body_in_pieces_is_put_together():
    async def work():
        admission, sender = Admission(Limits()), Sender()
        task = reading(admission, sender, client())
        sender.send(*(b"%d," % i for i in range(1000)), None)
        assert await task == b"".join(b"%d," % i for i in range(1000))
        assert (admission.bytes, len(admission.bodies)) == (0, 0)

    run(work())


def test_a_body_that_stops_is_408():
    async def work():
        admission, sender = Admission(Limits(header_seconds=0.1)), Sender()
        task = reading(admission, sender, client())
        sender.send(b"{")
        with pytest.raises(ServingError, match="within 0.1 seconds") as error:
            await task
        assert error.value.http_status == 408
        assert (admission.bytes, len(admission.bodies)) == (0, 0)

    run(work())


@pytest.mark.parametrize(("rate", "ends"), [(100.0, True), (1.0, False)])
def test_a_body_has_a_minimum_rate(rate, ends):
    async def work():
        limits = Limits(header_seconds=0.2, min_body_bytes_per_second=rate)
        sender = Sender()
        task = reading(Admission(limits), sender, client())
        for _ in range(30):
            sender.send(b" ")
            await asyncio.sleep(0.02)
        assert task.done() == ends
        sender.send(None)
        if ends:
            with pytest.raises(ServingError, match="20 bytes more"):
                await task
        else:
            assert await task == b" " * 30

    run(work())


def test_new_body_takes_room_of_largest_client():
    async def work():
        admission = Admission(Limits(max_in_flight=3))
        senders = [Sender() for _ in range(4)]
        hostile = [reading(admission, senders[i], client(connection=i)) for i in (0, 1)]
        quiet = reading(admission, senders[2], client("10.0.0.2"))
        await settled()
        newest = reading(admission, senders[3], client("10.0.0.3"))
        first, second, third, fourth = await settled(*hostile, quiet, newest)
        assert "who need its room" in str(first)
        assert first.code == Code.RESOURCE_EXHAUSTED
        assert (second, third, fourth) == (None, None, None)
        senders[3].send(b"{}", None)
        assert await newest == b"{}"
        for task in (hostile[1], quiet):
            task.cancel()

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
