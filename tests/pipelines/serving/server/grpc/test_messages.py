"""Calls whose message never comes hold nothing; a server answers all others."""

import contextlib
import threading

import grpc
import pytest

from tests.support.well_behaved import assert_answers

pytestmark = pytest.mark.serving
CALL = "/tensorflow.serving.PredictionService/Predict"


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
