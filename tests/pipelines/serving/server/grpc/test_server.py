"""A server that listens answers for its health; a port that is taken is named."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from pipelines.errors import ConfigError
from pipelines.serving.server.access import TokenInterceptor
from pipelines.serving.server.grpc.server import new_server
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models.manager import Manager
from pipelines.serving.server.settings import Loading, Settings

pytestmark = pytest.mark.serving


def listening(address, **options):
    settings = Settings()
    metrics = Metrics()
    manager = Manager(Loading(), metrics=metrics, batcher_of=None)
    admission = Admission(settings.limits)
    servicer = health.aio.HealthServicer()
    common = (manager, admission, metrics, servicer)
    return new_server(settings, address, *common, **options)


def with_server(steps, **options):
    async def run():
        server, port = listening("127.0.0.1:0", **options)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                await steps(channel, port)
        finally:
            await server.stop(None)

    asyncio.run(run())


def test_server_answers_for_its_health():
    async def steps(channel, _):
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    with_server(steps)


def test_an_interceptor_sees_a_call_first():
    async def steps(channel, _):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest()
        with pytest.raises(grpc.RpcError) as error:
            await stub.GetModelStatus(request, timeout=20)
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED

    with_server(steps, interceptors=[TokenInterceptor("Secret-1")])


def test_a_taken_port_is_named():
    async def steps(_, port):
        address = f"127.0.0.1:{port}"
        with pytest.raises(ConfigError, match=f"gRPC cannot listen at {address}"):
            listening(address)

    with_server(steps)
