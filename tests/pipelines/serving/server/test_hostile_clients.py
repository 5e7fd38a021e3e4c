"""Slow bodies, large messages and random requests: a server answers all others.

`benchmarks/hostile_clients.py` measures their cost in seconds and in memory.
"""

import concurrent.futures
import contextlib
import functools
import socket

import grpc
import psutil
import pytest
from tensorflow_serving.apis import predict_pb2

from benchmarks import random_requests
from tests.faults.kills import IS_LONG
from tests.support.servers import serving
from tests.support.well_behaved import PREDICT, assert_answers

pytestmark = pytest.mark.serving
CALL = "/tensorflow.serving.PredictionService/Predict"
MEBIBYTE = 2**20
LARGE_BYTES = 8 * MEBIBYTE - 1000


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


@pytest.fixture(scope="module")
def narrow(texts):
    """A server of texts that takes 8 MiB in a request and 64 MiB in all."""
    limits = ("--max-body-mb", "8", "--max-in-flight-mb", "64")
    with serving(texts, "--name", "diary", *limits) as served:
        yield served


def _request(text: bytes) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "diary"
    tensor = request.inputs["text"]
    tensor.dtype = 7  # strings
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(text)
    return request.SerializeToString()


def _codes(address: str, content: bytes) -> set:
    """The codes of six messages at once on one connection, three times."""
    codes = set()
    for _ in range(3):
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options) as channel:
            call = channel.unary_unary(CALL)
            calls = [call.future(content, timeout=60) for _ in range(6)]
            codes |= {one.code() for one in calls}
    return codes


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\xff" * LARGE_BYTES, grpc.StatusCode.INVALID_ARGUMENT),
        (_request(b"a" * LARGE_BYTES), grpc.StatusCode.OK),
    ],
    ids=["unreadable", "readable"],
)
def test_large_messages_take_bounded_memory(narrow, content, code):
    """Six clients send 860 MB, at most 290 MB at once; 64 MiB may be in flight."""
    memory = psutil.Process(narrow.process.pid).memory_info
    assert _codes(narrow.grpc_address, _request(b"good")) == {grpc.StatusCode.OK}
    before = peak = memory().rss
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        ask = functools.partial(_codes, narrow.grpc_address, content)
        asked = [pool.submit(ask) for _ in range(6)]
        while not all(one.done() for one in asked):
            peak = max(peak, memory().rss)
            concurrent.futures.wait(asked, 0.02)
    codes = set().union(*(one.result() for one in asked))
    assert codes <= {code, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert peak - before < 200 * MEBIBYTE
    narrow.wait_until(lambda: memory().rss - before < 80 * MEBIBYTE, seconds=10)


def test_largest_allowed_message_is_answered(narrow):
    with grpc.insecure_channel(narrow.grpc_address) as channel:
        call = channel.unary_unary(
            CALL, response_deserializer=predict_pb2.PredictResponse.FromString
        )
        answer = call(_request(b"a" * LARGE_BYTES), timeout=60)
        assert answer.outputs["label"].string_val
        with pytest.raises(grpc.RpcError) as error:
            call(_request(b"a" * (LARGE_BYTES + 1000)), timeout=60)
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
