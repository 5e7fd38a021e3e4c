"""A client that behaves, beside others that do not."""

import base64
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

PREDICT = "/v1/models/digits:predict"


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
