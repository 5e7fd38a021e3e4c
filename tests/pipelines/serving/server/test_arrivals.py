"""Clients by address and connection, and arrivals that give way."""

import asyncio

import pytest

from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.settings import Limits
from tests.support.bodies import Sender, client, reading, run, settled


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
        assert "which need its room" in str(first)
        assert first.code == Code.RESOURCE_EXHAUSTED
        assert (second, third, fourth) == (None, None, None)
        senders[3].send(b"{}", None)
        assert await newest == b"{}"
        for task in (hostile[1], quiet):
            task.cancel()

    run(work())
