"""Clients that send too much, too slowly, or never: a server answers all others.

`benchmarks/hostile_clients.py` shows what they cost in seconds and in memory.
"""

import base64
import contextlib
import http.client
import socket
import threading
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks import random_requests
from tests.faults.kills import IS_LONG

pytestmark = pytest.mark.serving

PREDICT = "/v1/models/digits:predict"
CALL = "/tensorflow.serving.PredictionService/Predict"
LONG = b"b" * 60_000
LINE = b"X-%07d: " + b"a" * 100 + b"\r\n"


@contextlib.contextmanager
def connected(served):
    with socket.create_connection(("127.0.0.1", served.rest_port), 20) as opened:
        yield opened


def answered(opened) -> tuple[int, bytes]:
    """Status and body of an answer behind which the server hangs up."""
    response = http.client.HTTPResponse(opened)
    response.begin()
    body = response.read()
    assert response.getheader("connection") == "close"
    return response.status, body


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


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (
            b"".join(LINE % i for i in range(100)) + b"X: " + LONG,
            b"65536 bytes",
        ),
        (b"X: " + b"b" * 70_000, b"65536 bytes"),
        (b"".join(b"X-%d: a\r\n" % i for i in range(129)), b"128 headers"),
        (b"Cookie: a\r\n" * 200, b"128 headers"),
    ],
    ids=["long lines", "a long line", "many lines", "the same line"],
)
@pytest.mark.parametrize("ends", [True, False])
def test_headers_have_a_size(served_artifact, head, says, ends):
    with connected(served_artifact) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + head)
        if ends:
            opened.sendall(b"\r\n\r\n")
        status, body = answered(opened)
    assert status == 431
    assert says in body


def test_a_long_path_is_a_long_header(served_artifact):
    with connected(served_artifact) as opened:
        opened.sendall(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n")
        assert answered(opened)[0] == 431


def test_headers_of_the_size_that_is_allowed(served_artifact):
    headers = {f"X-{i}": "a" * 500 for i in range(100)}
    assert served_artifact.request("GET", "/healthz", headers=headers).status == 200


def test_trailers_have_a_size_and_are_no_headers(served_artifact):
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(served_artifact) as opened:
        opened.sendall(head.encode() + b"1\r\n{\r\n0\r\n")
        opened.sendall(b"".join(LINE % i for i in range(700)))
        assert answered(opened)[0] == 431
    before = served_artifact.memory_mib
    with connected(served_artifact) as opened, contextlib.suppress(OSError):
        opened.sendall(head.encode() + b"1\r\n{\r\n0\r\nX: ")
        for _ in range(300):
            opened.sendall(b"a" * 65_536)
    assert served_artifact.memory_mib - before < 20


def test_pipelined_requests_are_limited(served_artifact):
    with connected(served_artifact) as opened:
        opened.settimeout(20)
        many = b"GET /v1/models/digits HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
        received = 0
        with contextlib.suppress(OSError):
            opened.sendall(many)
            while found := opened.recv(65_536):
                received += found.count(b"HTTP/1.1 ")
    assert received < 2000
    with connected(served_artifact) as opened:  # a few are answered, in turn
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        found = b""
        while found.count(b"alive") < 10:
            found += opened.recv(65_536)


def test_bytes_that_are_not_http_are_400(served_artifact):
    with connected(served_artifact) as opened:
        opened.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        status, body = answered(opened)
    assert status == 400
    assert b'"error"' in body


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


def test_silent_calls_hold_nothing(served_artifact, photos):
    """1,200 calls on four connections whose message never comes."""
    with contextlib.ExitStack() as stack:
        calls = []
        for _ in range(4):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = grpc.insecure_channel(served_artifact.grpc_address, options)
            stack.enter_context(channel)
            silent = channel.stream_unary(CALL)
            calls += [silent.future(_never(stack)) for _ in range(300)]
        served_artifact.wait_until(lambda: any(one.done() for one in calls), seconds=30)
        assert_answers(served_artifact, photos)
        codes = {one.code() for one in calls if one.done()}
        assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        for one in calls:
            one.cancel()
    assert_answers(served_artifact, photos)


def _never(stack: contextlib.ExitStack):
    ended = threading.Event()
    stack.callback(ended.set)
    ended.wait()
    yield b""


def test_health_watches_are_limited(served_artifact, photos):
    with grpc.insecure_channel(served_artifact.grpc_address) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        calls = [watch(b"", timeout=60) for _ in range(300)]
        served_artifact.wait_until(lambda: calls[-1].done(), seconds=30)
        # A connection has a quarter of 1,024.
        refused = [one for one in calls if one.done()]
        assert len(refused) == 300 - 256
        assert {one.code() for one in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert_answers(served_artifact, photos)
        for one in calls:
            one.cancel()


def test_call_without_message_is_refused(served_artifact):
    with grpc.insecure_channel(served_artifact.grpc_address) as channel:
        with pytest.raises(grpc.RpcError, match="without its message") as error:
            channel.stream_unary(CALL)(iter(()), timeout=20)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


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
