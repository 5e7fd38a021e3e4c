"""The time that a request takes: the model's own, and little besides."""

import base64
import contextlib
import http.client
import statistics
import time

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.support.servers import ask

pytestmark = pytest.mark.serving

# A busy machine takes hundredths of a second; a connection that waits for a timer, or a
# model that is compiled again, takes several tenths.
_MOST_SECONDS = 0.2
_REQUESTS = 30


@contextlib.contextmanager
def over_rest(served):
    """A request on a connection that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", served.rest_port, timeout=60)
    body = {"instances": ["a text"]}
    with contextlib.closing(connection):
        yield lambda: ask(connection, "POST", "/v1/models/texts:predict", body).json


@contextlib.contextmanager
def over_new_connections(served):
    """A request on a connection of its own."""
    body = {"instances": ["a text"]}
    yield lambda: served.post("/v1/models/texts:predict", body).json


@contextlib.contextmanager
def over_grpc(served):
    """A call on a channel that stays open."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "texts"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([b"a text"]))
    with grpc.insecure_channel(served.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        yield lambda: stub.Predict(request, timeout=60)


def computed(served) -> tuple[float, float]:
    """Seconds in TensorFlow, and calls, by the metrics of the server."""
    name = ":tensorflow:serving:runtime_latency"
    seconds = served.metric(f"{name}_sum", model_name="texts") / 1e6
    return seconds, served.metric(f"{name}_count", model_name="texts")


@pytest.mark.parametrize("way", [over_rest, over_new_connections, over_grpc])
def test_small_model_answers_in_moments(served_artifact, way):
    seconds_before, calls_before = computed(served_artifact)
    taken = []
    with way(served_artifact) as request:
        for _ in range(_REQUESTS):
            started = time.monotonic()
            assert request()
            taken.append(time.monotonic() - started)
    seconds, calls = computed(served_artifact)
    assert calls - calls_before == _REQUESTS
    in_model = (seconds - seconds_before) / _REQUESTS
    assert in_model < _MOST_SECONDS
    assert statistics.median(taken) < in_model + _MOST_SECONDS


def test_first_request_is_warm(served_artifact, photos):
    """No slower than three times the median, and a pause of the machine."""
    served_artifact.wait_for_line("digits version 1: warmed up by 10")
    body = {"instances": [{"b64": base64.b64encode(photos[0]).decode()}]}
    taken = []
    for _ in range(_REQUESTS):
        started = time.monotonic()
        assert served_artifact.post("/v1/models/digits:predict", body).status == 200
        taken.append(time.monotonic() - started)
    first_seconds = served_artifact.first_request_seconds
    assert 0 < first_seconds < 3 * statistics.median(taken) + 0.1
