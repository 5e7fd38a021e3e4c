"""Slow bodies and random requests: a server answers all others.

`benchmarks/hostile_clients.py` measures their cost in seconds and in memory.
"""

import base64
import contextlib
import socket
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import random_requests
from tests.faults.kills import IS_LONG

pytestmark = pytest.mark.serving
PREDICT = "/v1/models/digits:predict"


@contextlib.contextmanager
def connected(served):
    with socket.create_connection(("127.0.0.1", served.rest_port), 20) as opened:
        yield opened


def assert_answers(served, photos):
    """Every kind of question is answered in a moment."""
    body = {"instances": [{"b64": base64.b64encode(photos[0]).decode()}]}
    started = time.monotonic()
    assert served.post(PREDICT, body).status == 200
    for path in (
        "/healthz",
        "/readyz",
        "/v1/models/digits",
        "/v1/models/digits/metadata",
    ):
        assert served.get(path).status == 200
    with grpc.insecure_channel(
        served.grpc_address, [("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        health = stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        status = channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")
        assert status(b"\n\x08\n\x06digits", timeout=10)
    assert time.monotonic() - started < 10  # the machine may be busy


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
