"""A well-behaved client beside hostile ones: what it is told, when, and at what memory.

For each pattern a server is started, asked a few times alone, and then beside the
pattern, which comes from another process: a prediction over REST on a new connection,
one over gRPC, the status, and the health of both interfaces, every 0.2 seconds. Beside
each pattern 99 % of all have to be answered within 2 seconds, and the memory of the
server has to stay within 300 MB of before.

Command: python -m benchmarks.hostile_clients BASE [--patterns=NAME,...] [--seconds=20]
Cost:    about 30 seconds for each of the patterns, 1 GB of memory. BASE is a folder of
         versions that take images. Needs `openssl`.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import functools
import http.client
import io
import json
import os
import resource
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
import numpy as np
from PIL import Image

_HOST = "127.0.0.1"
_MODEL = "m"
_PATH = f"/v1/models/{_MODEL}:predict"
_CALL = "/tensorflow.serving.PredictionService/Predict"
_MEBIBYTE = 2**20
_WITHIN_SECONDS = 2.0
_SHARE = 0.99
_MEMORY_MB = 300
_PAUSE_SECONDS = 0.2
Ports = tuple[int, int]


def photo(kind: str = "JPEG", side: int = 64) -> bytes:
    """An encoded image of noise."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def _body(*images: bytes) -> bytes:
    instances = [{"b64": base64.b64encode(one).decode()} for one in images]
    return json.dumps({"instances": instances}).encode()


def _head(length: int | None, *more: str) -> bytes:
    framing = "Transfer-Encoding: chunked"
    if length is not None:
        framing = f"Content-Length: {length}"
    lines = [f"POST {_PATH} HTTP/1.1", "Host: x", framing, *more, "", ""]
    return "\r\n".join(lines).encode()


# --- Patterns: each goes on until its time is up, and takes what the server does. ---


def _connections(port: int, count: int, first: bytes = b"") -> list[socket.socket]:
    found = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            one = socket.create_connection((_HOST, port), timeout=5)
            one.settimeout(5)
            found.append(one)
            one.sendall(first)
    return found


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
        with socket.create_connection((_HOST, ports[0]), timeout=5) as one:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
            for _ in range(100):
                one.sendall(lines)

    _in_threads(8, lambda: _until(end, flood))


def one_long_header(ports: Ports, end: float) -> None:
    """Eight connections with one header that never ends."""

    def flood() -> None:
        with socket.create_connection((_HOST, ports[0]), timeout=5) as one:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
            for _ in range(1600):
                one.sendall(b"a" * 65_536)

    _in_threads(8, lambda: _until(end, flood))


def trailer_flood(ports: Ports, end: float) -> None:
    """Eight bodies in chunks, with trailers behind them that never end."""
    lines = b"".join(b"X-%07d: %s\r\n" % (i, b"a" * 100) for i in range(10_000))

    def flood() -> None:
        with socket.create_connection((_HOST, ports[0]), timeout=5) as one:
            one.sendall(_head(None) + b"1\r\n{\r\n0\r\n")
            for _ in range(100):
                one.sendall(lines)

    _in_threads(8, lambda: _until(end, flood))


def pipelines(ports: Ports, end: float) -> None:
    """Fifty connections that send thousands of requests and read no answer."""
    many = b"GET /v1/models/m HTTP/1.1\r\nHost: x\r\n\r\n" * 5000

    def flood() -> None:
        with socket.create_connection((_HOST, ports[0]), timeout=1) as one:
            one.sendall(many)
            time.sleep(1)

    _in_threads(50, lambda: _until(end, flood))


def slow_bodies(ports: Ports, end: float) -> None:
    """1,100 bodies of which one byte comes; who is given up comes again."""

    def again() -> None:
        opened = _connections(ports[0], 1100, _head(1000) + b"{")
        time.sleep(3)
        for one in opened:
            one.close()

    _until(end, again)


def trickled_bodies(ports: Ports, end: float) -> None:
    """1,100 bodies that come byte by byte."""
    opened = _connections(ports[0], 1100, _head(100_000) + b"{")
    while time.monotonic() < end:
        for one in opened:
            with contextlib.suppress(OSError):
                one.sendall(b" ")
        time.sleep(0.5)


def large_bodies(ports: Ports, end: float) -> None:
    """Thirty bodies of 32 MiB of which the last byte never comes."""
    size = 32 * _MEBIBYTE
    chunk = b" " * _MEBIBYTE

    def flood() -> None:
        with socket.create_connection((_HOST, ports[0]), timeout=5) as one:
            one.sendall(_head(size))
            for _ in range(31):
                one.sendall(chunk)
            time.sleep(5)

    _in_threads(30, lambda: _until(end, flood))


def nested_json(ports: Ports, end: float) -> None:
    """Four clients with 16 MB of lists in lists, which are no image."""
    body = b'{"instances": [' + b",".join([b"[[],[]]"] * 2_000_000) + b"]}"
    _in_threads(4, lambda: _until(end, lambda: _post(ports[0], body)))


def idle_connections(ports: Ports, end: float) -> None:
    """5,000 connections to each port that say nothing, opened again when they end."""

    def again() -> None:
        for port in ports:
            opened = _connections(port, 5000)
            time.sleep(3)
            for one in opened:
                one.close()

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
        for one in opened:
            one.close()

    _until(end, again)


def _channel(port: int) -> grpc.Channel:
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(f"{_HOST}:{port}", options)


def silent_streams(ports: Ports, end: float) -> None:
    """1,200 calls on four connections whose message never comes."""
    ended = threading.Event()

    def never() -> Iterator[bytes]:
        ended.wait()
        yield from ()

    calls = []
    for _ in range(4):
        call = _channel(ports[1]).stream_unary(_CALL)
        calls += [call.future(never()) for _ in range(300)]
    time.sleep(max(0.0, end - time.monotonic()))
    ended.set()
    for one in calls:
        one.cancel()


def health_watches(ports: Ports, end: float) -> None:
    """2,000 calls that watch the health, on four connections."""
    calls = []
    for _ in range(4):
        call = _channel(ports[1]).unary_stream("/grpc.health.v1.Health/Watch")
        calls += [call(b"") for _ in range(500)]
    time.sleep(max(0.0, end - time.monotonic()))
    for one in calls:
        one.cancel()


def half_messages(ports: Ports, end: float) -> None:
    """Sixty messages of 31 MiB over gRPC of which the last bytes never come."""
    _in_threads(6, lambda: _until(end, lambda: HalfMessages(ports[1], 10).send(end)))


class HalfMessages:
    """So many calls on one connection of HTTP/2; each sends all but its last bytes.

    By hand, because no library leaves a message unfinished.
    """

    _SIZE = 31 * _MEBIBYTE
    _FRAME = 16_384

    def __init__(self, port: int, calls: int) -> None:
        self._socket = socket.create_connection((_HOST, port), timeout=5)
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
                    for one in self._left:
                        self._room[one] += value - self._initial
                    self._initial = value
            self._socket.sendall(_frame(4, 1, 0))


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def _grpc_headers() -> bytes:
    pairs = {
        ":method": "POST",
        ":scheme": "http",
        ":path": _CALL,
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

    def flood() -> None:
        with _channel(ports[1]) as channel:
            call = channel.unary_unary(_CALL)
            content = b"\xff" * (31 * _MEBIBYTE)
            for one in [call.future(content, timeout=10) for _ in range(6)]:
                one.exception()

    _in_threads(8, lambda: _until(end, flood))


def broken_images(ports: Ports, end: float) -> None:
    """Four clients whose images are cut short."""
    whole = photo()
    body = _body(*(whole[: len(whole) * i // 9] for i in range(1, 9)))
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
    body = _body(content)
    _in_threads(2, lambda: _until(end, lambda: _post(ports[0], body)))


def _post(port: int, body: bytes) -> int:
    other = http.client.HTTPConnection(_HOST, port, timeout=30)
    with contextlib.closing(other):
        other.request("POST", _PATH, body)
        answer = other.getresponse()
        answer.read()
        if answer.status in (429, 503):
            time.sleep(0.1)
        return answer.status


PATTERNS: dict[str, Callable[[Ports, float], None]] = {
    one.__name__: one
    for one in (
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
        broken_images,
        slow_images,
    )
}
_OVER_TLS = ("silent_handshakes",)


# --- The server, the well-behaved client, and what is made of both. ---


@contextlib.contextmanager
def server(base: Path, folder: Path, *flags: str) -> Iterator[tuple[int, Ports]]:
    """`zoo serve` on free ports: its process id and its ports."""
    command = [sys.executable, "-m", "pipelines.cli", "serve", str(base), *flags]
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--name", _MODEL, "--rest-port", "0", "--grpc-port", "0"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        ports = []
        for line in process.stdout or ():
            if line.startswith(("REST", "gRPC")):
                ports.append(int(line.rpartition(":")[2]))
            if line.startswith("ready"):
                break
        yield process.pid, (ports[0], ports[1])
    finally:
        process.terminate()
        process.wait(60)


def memory_mb(pid: int) -> float:
    """What a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1000
    return 0.0


class WellBehaved:
    """One client that asks five things in turn, and notes how long each took."""

    def __init__(self, ports: Ports, certificate: Path | None) -> None:
        self._ports = ports
        self._context = None
        options = [("grpc.use_local_subchannel_pool", 1)]
        address = f"localhost:{ports[1]}"
        if certificate:
            self._context = ssl.create_default_context(cafile=str(certificate))
            credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
            self._channel = grpc.secure_channel(address, credentials, options)
        else:
            self._channel = grpc.insecure_channel(address, options)
        self._body = _body(photo())

    def ask_all(self) -> list[tuple[str, float]]:
        """Problems and seconds of each question; no problem is ''."""
        return [
            _timed(one)
            for one in (
                functools.partial(self._rest, "POST", _PATH, self._body),
                functools.partial(self._rest, "GET", "/healthz"),
                functools.partial(self._rest, "GET", f"/v1/models/{_MODEL}"),
                functools.partial(self._call, _CALL, _prediction()),
                functools.partial(self._call, "/grpc.health.v1.Health/Check", b""),
            )
        ]

    def _rest(self, method: str, path: str, body: bytes | None = None) -> str:
        if self._context:
            other: Any = http.client.HTTPSConnection(
                "localhost", self._ports[0], timeout=10, context=self._context
            )
        else:
            other = http.client.HTTPConnection(_HOST, self._ports[0], timeout=10)
        with contextlib.closing(other):
            other.request(method, path, body)
            answer = other.getresponse()
            answer.read()
            return "" if answer.status == 200 else f"REST {answer.status}"

    def _call(self, path: str, content: bytes) -> str:
        try:
            self._channel.unary_unary(path)(content, timeout=10)
        except grpc.RpcError as error:
            return f"gRPC {error.code().name}"
        return ""


@functools.cache
def _prediction() -> bytes:
    from tensorflow.core.framework import tensor_pb2
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = _MODEL
    proto = tensor_pb2.TensorProto(dtype=7, string_val=[photo()])
    proto.tensor_shape.dim.add(size=1)
    request.inputs["image_bytes"].CopyFrom(proto)
    return request.SerializeToString()


def _timed(ask: Callable[[], str]) -> tuple[str, float]:
    started = time.monotonic()
    try:
        problem = ask()
    except OSError as error:
        problem = type(error).__name__
    return problem, time.monotonic() - started


def beside(name: str, base: Path, seconds: float, folder: Path) -> dict[str, Any]:
    """What the well-behaved client saw beside a pattern, and the memory."""
    flags: tuple[str, ...] = ()
    certificate = None
    if name in _OVER_TLS:
        certificate, key = _certificate(folder)
        flags = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with server(base, folder, *flags) as (pid, ports):
        client = WellBehaved(ports, certificate)
        for _ in range(5):
            client.ask_all()
        before = peak = memory_mb(pid)
        hostile = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.hostile_clients", "--as", name]
            + [f"--ports={ports[0]},{ports[1]}", f"--seconds={seconds}"]
        )
        answers: list[tuple[str, float]] = []
        while hostile.poll() is None:
            answers += client.ask_all()
            peak = max(peak, memory_mb(pid))
            time.sleep(_PAUSE_SECONDS)
        time.sleep(1)
        after = memory_mb(pid)
    return _summary(name, answers, before, peak, after)


def _summary(
    name: str, answers: list, before: float, peak: float, after: float
) -> dict[str, Any]:
    took = sorted(seconds for _, seconds in answers)
    good = sum(not problem and t <= _WITHIN_SECONDS for problem, t in answers)
    problems = collections.Counter(problem for problem, _ in answers if problem)
    share = good / len(answers)
    return {
        "pattern": name,
        "asked": len(answers),
        "within 2 s": round(share, 4),
        "median s": round(took[len(took) // 2], 3),
        "longest s": round(took[-1], 2),
        "MB before": round(before),
        "MB peak": round(peak),
        "MB after": round(after),
        "problems": dict(problems),
        "right": share >= _SHARE and peak - before <= _MEMORY_MB,
    }


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, nargs="?")
    parser.add_argument("--patterns", default=",".join(PATTERNS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--as", dest="hostile", choices=PATTERNS)
    parser.add_argument("--ports", default="")
    arguments = parser.parse_args()
    _many_files()
    if arguments.hostile:
        rest, rpc = map(int, arguments.ports.split(","))
        end = time.monotonic() + arguments.seconds
        PATTERNS[arguments.hostile]((rest, rpc), end)
        os._exit(0)  # some of its calls never end
    wrong = 0
    for name in arguments.patterns.split(","):
        with tempfile.TemporaryDirectory() as folder:
            found = beside(name, arguments.base, arguments.seconds, Path(folder))
        print(json.dumps(found), flush=True)
        wrong += not found["right"]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
