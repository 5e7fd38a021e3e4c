"""Who is let in over TLS, with what is said to pages of other origins."""

import http.client
import signal
import socket
import ssl
import subprocess
import threading
import time

import grpc
import pytest

from tests.support.servers import ask, serving

pytestmark = pytest.mark.serving

PREDICT = "/v1/models/line:predict"
CALL = "/tensorflow.serving.PredictionService/Predict"
ORIGIN = {"Origin": "https://app.example"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True,
        capture_output=True,
    )
    (folder / "token").write_text("Secret-1\n")
    return folder


@pytest.fixture(scope="module")
def served(lines, certificate):
    flags = ("--tls-key", certificate / "key.pem", "--cors", "--header-seconds", "1")
    flags += ("--tls-certificate", certificate / "certificate.pem")
    flags += ("--token-file", certificate / "token", "--name", "line")
    with serving(lines, *flags) as served:
        yield served


def asked(served, certificate, method, body=None, **headers):
    context = ssl.create_default_context(cafile=certificate / "certificate.pem")
    connection = http.client.HTTPSConnection(
        "localhost", served.rest_port, timeout=60, context=context
    )
    try:
        return ask(connection, method, PREDICT, body, headers=headers)
    finally:
        connection.close()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_name_of_the_scheme_is_in_letters_of_either_case(
    served, certificate, scheme
):
    given = {"Authorization": f"{scheme} Secret-1"}
    answer = asked(served, certificate, "POST", {"instances": [0.0]}, **given)
    assert answer.json == {"predictions": [4.0]}


@pytest.mark.parametrize(
    "given",
    ["Bearer secret-1", "Basic Secret-1", "Bearer", "Secret-1", "BearerSecret-1"],
)
def test_the_token_is_not_and_a_refusal_can_be_read_by_a_page(
    served, certificate, given
):
    answer = asked(served, certificate, "POST", b"{}", Authorization=given, **ORIGIN)
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_a_page_of_another_origin_may_send_the_token(served, certificate):
    wanted = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = asked(served, certificate, "OPTIONS", **ORIGIN, **wanted)
    assert answer.status == 200
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)


def test_a_call_without_the_token_is_refused_before_its_message(served, certificate):
    """By its metadata: this call never sends a message."""
    ended = threading.Event()

    def never():
        ended.wait()
        yield b""

    pem = (certificate / "certificate.pem").read_bytes()
    credentials = grpc.ssl_channel_credentials(pem)
    with grpc.secure_channel(f"localhost:{served.grpc_port}", credentials) as channel:
        call = channel.stream_unary(CALL).future(never(), timeout=30)
        assert call.code() == grpc.StatusCode.UNAUTHENTICATED
        ended.set()
        metadata = [("authorization", "bearer Secret-1")]
        with pytest.raises(grpc.RpcError, match="Missing ModelSpec"):
            channel.unary_unary(CALL)(b"", timeout=30, metadata=metadata)


def test_handshakes_that_stop_are_given_up(served, certificate):
    """A second is given to each; uvicorn's minute, and gRPC's two, are too long."""
    opened = []
    for port in (served.rest_port, served.grpc_port):
        one = socket.create_connection(("127.0.0.1", port), timeout=20)
        one.sendall(b"\x16\x03\x01\x02\x00\x01")
        opened.append(one)
    started = time.monotonic()
    for one in opened:
        assert one.recv(100) in (b"", b"\x15\x03\x03\x00\x02\x02\x0a")
        one.close()
    assert time.monotonic() - started < 15


def test_a_terminal_that_is_closed_ends_no_server(served, certificate):
    served.process.send_signal(signal.SIGHUP)
    served.wait_for_line("SIGHUP is ignored: versions are looked for every 1 seconds")
    given = {"Authorization": "Bearer Secret-1"}
    answer = asked(served, certificate, "POST", {"instances": [2.0]}, **given)
    assert answer.json == {"predictions": [5.0]}
