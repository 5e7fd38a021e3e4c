"""Slow bodies and random requests: a server answers all others.

`benchmarks/hostile_clients.py` measures their cost in seconds and in memory.
"""

import contextlib
import socket

import pytest

from benchmarks import random_requests
from tests.faults.kills import IS_LONG
from tests.support.well_behaved import PREDICT, assert_answers

pytestmark = pytest.mark.serving


@contextlib.contextmanager
def connected(served):
    with socket.create_connection(("127.0.0.1", served.rest_port), 20) as opened:
        yield opened


@pytest.mark.usefixtures("_many_files")
def test_slow_bodies_hold_nothing(served_artifact, photos):
    """Each of 1,100 sends a byte of its body, and 2 seconds are given to each."""
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{"
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connected(served_artifact)) for _ in range(1100)]
        for one in slow:
            one.sendall(head.encode())
        assert_answers(served_artifact, photos)
        statuses = {one.recv(100).split(b" ")[1] for one in slow}
    # Too many, or too slow.
    assert statuses == {b"429", b"408"}
    assert_answers(served_artifact, photos)


@pytest.mark.parametrize("count", [400, pytest.param(30_000, marks=pytest.mark.slow)])
def test_random_requests_are_answered_in_words(served_artifact, count):
    """Of the same seed, so that what fails can be looked at."""
    if count > 1000 and not IS_LONG:
        pytest.skip("takes minutes")
    ports = served_artifact.rest_port, served_artifact.grpc_port
    statuses, faults = random_requests.ask(ports, model="digits", count=count, seed=0)
    assert not faults, faults[0]
    assert statuses.total() == count
    assert {"200", "400", "404", "OK", "INVALID_ARGUMENT", "NOT_FOUND"} <= set(statuses)
