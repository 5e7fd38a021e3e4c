"""Hostile patterns of clients, which go on until their time is up.

Each takes what the server does. `benchmarks.hostile_clients` runs them, each in a
process of its own, beside a client that behaves well.

Command: python -m benchmarks.hostile_patterns NAME --ports=REST,GRPC [--seconds=20]
Cost:    its seconds, and up to 1 GB of memory.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import http.client
import io
import json
import os
import resource
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
import numpy as np
from PIL import Image

HOST = "127.0.0.1"
MODEL = "m"
PATH = f"/v1/models/{MODEL}:predict"
CALL = "/tensorflow.serving.PredictionService/Predict"
_MEBIBYTE = 2**20
_LARGE_BYTES = 31 * _MEBIBYTE
Ports = tuple[int, int]


def photo(kind: str = "JPEG", side: int = 64) -> bytes:
    """An encoded image of noise."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def body_of(*images: bytes) -> bytes:
    instances = [{"b64": base64.b64encode(image).decode()} for image in images]
    return json.dumps({"instances": instances}).encode()


def _head(length: int | None, *more: str) -> bytes:
    framing = "Transfer-Encoding: chunked"
    if length is not None:
        framing = f"Content-Length: {length}"
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", framing, *more, "", ""]
    return "\r\n".join(lines).encode()


def _connections(port: int, count: int, first: bytes = b"") -> list[socket.socket]:
    sockets = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            connection = socket.create_connection((HOST, port), timeout=5)
            connection.settimeout(5)
            sockets.append(connection)
            connection.sendall(first)
    return sockets


def _until(end: float, again: Callable[[], Any]) -> None:
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            again()


def _in_threads(count: int, work: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def header_flood(ports: Ports, end: float) -> None:
    """Eight connections that send headers as fast as they can, again and again."""
    lines = b"".join(b"X-%07d: %s\r\n" % (i, b"a" * 100) for i in range(10_000))

    def flood() -> None:
        with socket.create_connection((HOST, ports[0]), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            for _ in range(100):
                connection.sendall(lines)

    _in_threads(8, lambda: _until(end, flood))


def one_long_header(ports: Ports, end: float) -> None:
    """Eight connections with one header that never ends."""

    def flood() -> None:
        with socket.create_connection((HOST, ports[0]), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
            for _ in range(1600):
                connection.sendall(b"a" * 65_536)

    _in_threads(8, lambda: _until(end, flood))


def trailer_flood(ports: Ports, end: float) -> None:
    """Eight bodies in chunks, with trailers behind them that never end."""
    lines = b"".join(b"X-%07d: %s\r\n" % (i, b"a" * 100) for i in range(10_000))

    def flood() -> None:
        with socket.create_connection((HOST, ports[0]), timeout=5) as connection:
            connection.sendall(_head(None) + b"1\r\n{\r\n0\r\n")
            for _ in range(100):
                connection.sendall(lines)

    _in_threads(8, lambda: _until(end, flood))


def pipelines(ports: Ports, end: float) -> None:
    """Fifty connections that send thousands of requests and read no answer."""
    many = b"GET /v1/models/m HTTP/1.1\r\nHost: x\r\n\r\n" * 5000

    def flood() -> None:
        with socket.create_connection((HOST, ports[0]), timeout=1) as connection:
            connection.sendall(many)
            time.sleep(1)

    _in_threads(50, lambda: _until(end, flood))


def slow_bodies(ports: Ports, end: float) -> None:
    """1,100 bodies that stop after one byte; a client that is given up comes again."""

    def again() -> None:
        opened = _connections(ports[0], 1100, _head(1000) + b"{")
        time.sleep(3)
        for connection in opened:
            connection.close()

    _until(end, again)


def trickled_bodies(ports: Ports, end: float) -> None:
    """1,100 bodies that come byte by byte."""
    opened = _connections(ports[0], 1100, _head(100_000) + b"{")
    while time.monotonic() < end:
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.sendall(b" ")
        time.sleep(0.5)


def large_bodies(ports: Ports, end: float) -> None:
    """Thirty bodies of 32 MiB whose last byte never comes."""
    size = 32 * _MEBIBYTE
    chunk = b" " * _MEBIBYTE

    def flood() -> None:
        with socket.create_connection((HOST, ports[0]), timeout=5) as connection:
            connection.sendall(_head(size))
            for _ in range(31):
                connection.sendall(chunk)
            time.sleep(5)

    _in_threads(30, lambda: _until(end, flood))


def nested_json(ports: Ports, end: float) -> None:
    """Four clients with 16 MB of lists in lists, which are not images."""
    body = b'{"instances": [' + b",".join([b"[[],[]]"] * 2_000_000) + b"]}"
    _in_threads(4, lambda: _until(end, lambda: _post(ports[0], body)))


def idle_connections(ports: Ports, end: float) -> None:
    """5,000 connections to each port that say nothing, opened again when they end."""

    def again() -> None:
        for port in ports:
            opened = _connections(port, 5000)
            time.sleep(3)
            for connection in opened:
                connection.close()

    _until(end, again)


def silent_handshakes(ports: Ports, end: float) -> None:
    """1,000 connections to each port that begin a handshake of TLS and stop."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    hello = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    first = outgoing.read()

    def again() -> None:
        opened = [
            *_connections(ports[0], 1000, first[:100]),
            *_connections(ports[1], 1000, first),
        ]
        time.sleep(5)
        for connection in opened:
            connection.close()

    _until(end, again)


def _channel(port: int) -> grpc.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(f"{HOST}:{port}", options)


def silent_streams(ports: Ports, end: float) -> None:
    """1,200 calls on four connections whose message never comes."""
    ended = threading.Event()

    def never() -> Iterator[bytes]:
        ended.wait()
        yield from ()

    calls = []
    for _ in range(4):
        call = _channel(ports[1]).stream_unary(CALL)
        calls += [call.future(never()) for _ in range(300)]
    time.sleep(max(0.0, end - time.monotonic()))
    ended.set()
    for call in calls:
        call.cancel()


def health_watches(ports: Ports, end: float) -> None:
    """2,000 calls that watch the health, on four connections."""
    calls = []
    for _ in range(4):
        call = _channel(ports[1]).unary_stream("/grpc.health.v1.Health/Watch")
        calls += [call(b"") for _ in range(500)]
    time.sleep(max(0.0, end - time.monotonic()))
    for call in calls:
        call.cancel()


def half_messages(ports: Ports, end: float) -> None:
    """Sixty messages of 31 MiB over gRPC whose last bytes never come."""
    _in_threads(6, lambda: _until(end, lambda: HalfMessages(ports[1], 10).send(end)))


class HalfMessages:
    """Calls on one connection of HTTP/2; each sends all but its last bytes.

    By hand, because no library leaves a message unfinished.
    """

    _SIZE = _LARGE_BYTES
    _FRAME = 16_384

    def __init__(self, port: int, calls: int) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=5)
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0))
        self._received = b""
        self._room = collections.Counter({0: 65_535})
        self._initial = 65_535
        self._left = {}
        for stream in range(1, 2 * calls, 2):
            self._socket.sendall(_frame(1, 4, stream, _grpc_headers()))
            self._room[stream] = self._initial
            prefix = b"\0" + struct.pack(">I", self._SIZE)
            self._left[stream] = self._SIZE - 100
            self._data(stream, prefix)

    def send(self, end: float) -> None:
        """Sends as much as the server takes, until the time is up."""
        with self._socket:
            self._socket.settimeout(0.2)
            while time.monotonic() < end and self._left:
                for stream in list(self._left):
                    count = min(
                        self._FRAME,
                        self._left[stream],
                        self._room[0],
                        self._room[stream],
                    )
                    if count > 0:
                        self._left[stream] -= count
                        self._data(stream, b"\0" * count)
                self._read()

    def _data(self, stream: int, content: bytes) -> None:
        self._room[0] -= len(content)
        self._room[stream] -= len(content)
        self._socket.sendall(_frame(0, 0, stream, content))

    def _read(self) -> None:
        can_send = self._room[0] > 0 and any(self._room[s] > 0 for s in self._left)
        self._socket.settimeout(0.001 if can_send else 0.2)
        try:
            content = self._socket.recv(65_536)
        except TimeoutError:
            return
        if not content:
            raise ConnectionResetError
        self._received += content
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                return
            kind, flags = self._received[3], self._received[4]
            stream = int.from_bytes(self._received[5:9], "big")
            payload = self._received[9 : 9 + size]
            self._received = self._received[9 + size :]
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == 8:  # WINDOW_UPDATE
            self._room[stream] += int.from_bytes(payload, "big")
        elif kind == 3 or (kind == 1 and flags & 1):  # RST_STREAM, or the answer
            self._left.pop(stream, None)
        elif kind == 6 and not flags & 1:  # PING
            self._socket.sendall(_frame(6, 1, 0, payload))
        elif kind == 4 and not flags & 1:  # SETTINGS
            for i in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[i : i + 6])
                if name == 4:
                    for opened in self._left:
                        self._room[opened] += value - self._initial
                    self._initial = value
            self._socket.sendall(_frame(4, 1, 0))


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def _grpc_headers() -> bytes:
    pairs = {
        ":method": "POST",
        ":scheme": "http",
        ":path": CALL,
        ":authority": "x",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(text)]) + text.encode()
        for name, text in pairs.items()
    )


def large_messages(ports: Ports, end: float) -> None:
    """Eight clients with whole messages of 31 MiB, six at once on each connection."""
    _send_large(ports, end, b"\xff" * _LARGE_BYTES)


def large_requests(ports: Ports, end: float) -> None:
    """The same with requests that can be read, each for one image that is none."""
    _send_large(ports, end, prediction(bytes(_LARGE_BYTES)))


def _send_large(ports: Ports, end: float, content: bytes) -> None:
    def flood() -> None:
        with _channel(ports[1]) as channel:
            call = channel.unary_unary(CALL)
            for future in [call.future(content, timeout=10) for _ in range(6)]:
                future.exception()

    _in_threads(8, lambda: _until(end, flood))


def prediction(image: bytes) -> bytes:
    """A request for one encoded image, as it goes over gRPC.

    By hand, because the classes of messages come with TensorFlow's seconds.
    """
    tensor = b"\x08\x07" + _part(2, _part(2, b"\x08\x01")) + _part(8, image)
    named = _part(1, b"image_bytes") + _part(2, tensor)
    return _part(1, _part(1, MODEL.encode())) + _part(2, named)


def _part(field: int, content: bytes) -> bytes:
    """A field of a message that has a length."""
    length, rest = b"", len(content)
    while rest > 0x7F:
        length += bytes([rest & 0x7F | 0x80])
        rest >>= 7
    return bytes([field << 3 | 2]) + length + bytes([rest]) + content


def broken_images(ports: Ports, end: float) -> None:
    """Four clients whose images are cut short."""
    whole = photo()
    body = body_of(*(whole[: len(whole) * i // 9] for i in range(1, 9)))
    _in_threads(4, lambda: _until(end, lambda: _post(ports[0], body)))


def slow_images(ports: Ports, end: float) -> None:
    """Two clients with GIFs of 0.8 MB: 400,000 blocks of one byte."""
    stream = io.BytesIO()
    Image.new("P", (10, 10)).save(stream, "GIF")
    plain = stream.getvalue()
    frame = plain.index(b",")
    data = frame + 11
    blocks = b"\x01\0" * 400_000
    content = (
        plain[:frame]
        + plain[frame:data]
        + plain[data:-2]
        + blocks
        + b"\0\x21\xfe\x01a\0\0"
        + plain[frame:-1]
        + b";"
    )
    body = body_of(content)
    _in_threads(2, lambda: _until(end, lambda: _post(ports[0], body)))


def _post(port: int, body: bytes) -> int:
    other = http.client.HTTPConnection(HOST, port, timeout=30)
    with contextlib.closing(other):
        other.request("POST", PATH, body)
        answer = other.getresponse()
        answer.read()
        if answer.status in (429, 503):
            time.sleep(0.1)
        return answer.status


PATTERNS: dict[str, Callable[[Ports, float], None]] = {
    pattern.__name__: pattern
    for pattern in (
        header_flood,
        one_long_header,
        trailer_flood,
        pipelines,
        slow_bodies,
        trickled_bodies,
        large_bodies,
        nested_json,
        idle_connections,
        silent_handshakes,
        silent_streams,
        health_watches,
        half_messages,
        large_messages,
        large_requests,
        broken_images,
        slow_images,
    )
}
OVER_TLS = ("silent_handshakes",)


def allow_many_files() -> None:
    """As many open files as the process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", choices=PATTERNS)
    parser.add_argument("--ports", required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    allow_many_files()
    rest, rpc = map(int, arguments.ports.split(","))
    PATTERNS[arguments.pattern]((rest, rpc), time.monotonic() + arguments.seconds)
    os._exit(0)  # some of its calls never end


if __name__ == "__main__":
    main()
