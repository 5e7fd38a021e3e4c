"""Access over TLS with a token, and what pages of other origins may read."""

import http.client
import socket
import ssl
import threading
import time

import grpc
import pytest

from pipelines.serving.client import GrpcClient, RestClient, ServerError
from tests.pipelines.serving.server.conftest import TOKEN
from tests.support.servers import ask

pytestmark = pytest.mark.serving

PREDICT = "/v1/models/line:predict"
CALL = "/tensorflow.serving.PredictionService/Predict"
ORIGIN = {"Origin": "https://app.example"}


def asked(guarded, certificate, method, body=None, *, path=PREDICT, **headers):
    context = ssl.create_default_context(cafile=certificate)
    connection = http.client.HTTPSConnection(
        "localhost", guarded.rest_port, timeout=60, context=context
    )
    try:
        return ask(connection, method, path, body, headers=headers)
    finally:
        connection.close()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_scheme_is_in_letters_of_either_case(guarded, certificate, scheme):
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    answer = asked(guarded, certificate, "POST", {"instances": [0.0]}, **headers)
    assert answer.json == {"predictions": [4.0]}


@pytest.mark.parametrize(
    "header",
    ["Bearer secret-1", "Basic Secret-1", "Bearer", "Secret-1", "BearerSecret-1"],
)
def test_other_token_is_refused_readably(guarded, certificate, header):
    answer = asked(guarded, certificate, "POST", b"{}", Authorization=header, **ORIGIN)
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_page_of_another_origin_may_send_token(guarded, certificate):
    headers = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = asked(guarded, certificate, "OPTIONS", **ORIGIN, **headers)
    assert answer.status == 200
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)


def test_call_without_token_is_refused_before_its_message(guarded, certificate):
    """By its metadata: this call never sends a message."""
    ended = threading.Event()

    def never():
        ended.wait()
        yield b""

    credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
    with grpc.secure_channel(f"localhost:{guarded.grpc_port}", credentials) as channel:
        call = channel.stream_unary(CALL).future(never(), timeout=30)
        assert call.code() == grpc.StatusCode.UNAUTHENTICATED
        ended.set()
        metadata = [("authorization", f"bearer {TOKEN}")]
        with pytest.raises(grpc.RpcError, match="Missing ModelSpec"):
            channel.unary_unary(CALL)(b"", timeout=30, metadata=metadata)


@pytest.mark.parametrize("kind", [RestClient, GrpcClient])
def test_clients_send_token_over_tls(guarded, certificate, kind, caplog, capfd):
    caplog.set_level("DEBUG", "zootune.serve")
    if kind is RestClient:
        address = f"https://127.0.0.1:{guarded.rest_port}"
    else:
        address = f"localhost:{guarded.grpc_port}"
    for token in (None, "wrong"):
        client = kind(address, model="line", token=token, ca_file=certificate)
        with pytest.raises(ServerError, match="401|UNAUTHENTICATED"):
            client.predict(["x"])
    client = kind(address, model="line", token=TOKEN, ca_file=certificate)
    # The token is accepted; the model is not a classifier, which is another matter.
    with pytest.raises(ServerError, match="400|FAILED_PRECONDITION"):
        client.predict(["x"])
    assert TOKEN not in caplog.text + "".join(capfd.readouterr())


def test_stopped_handshakes_are_given_up(guarded):
    """After a second; uvicorn's minute, and gRPC's two, are too long."""
    connections = []
    for port in (guarded.rest_port, guarded.grpc_port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        connections.append(connection)
    started = time.monotonic()
    for connection in connections:
        assert connection.recv(100) in (b"", b"\x15\x03\x03\x00\x02\x02\x0a")
        connection.close()
    assert time.monotonic() - started < 15
