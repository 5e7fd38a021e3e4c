"""Headers, trailers and pipelines have bounds; a server answers all others."""

import contextlib
import http.client
import socket

import pytest

pytestmark = pytest.mark.serving
PREDICT = "/v1/models/digits:predict"
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
