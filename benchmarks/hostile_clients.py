"""A well-behaved client beside hostile ones: its answers, their time, and the memory.

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
import collections
import contextlib
import functools
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc

from benchmarks.hostile_patterns import (
    CALL,
    HOST,
    MODEL,
    OVER_TLS,
    PATH,
    PATTERNS,
    Ports,
    allow_many_files,
    body_of,
    photo,
    prediction,
)

_WITHIN_SECONDS = 2.0
_SHARE = 0.99
_MEMORY_MB = 300
_PAUSE_SECONDS = 0.2


@contextlib.contextmanager
def server(base: Path, folder: Path, *flags: str) -> Iterator[tuple[int, Ports]]:
    """`zoo serve` on free ports: its process id and its ports."""
    command = [sys.executable, "-m", "pipelines.cli", "serve", str(base), *flags]
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(
            [*command, "--name", MODEL, "--rest-port", "0", "--grpc-port", "0"],
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
    """Resident memory of a process."""
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
        self._body = body_of(photo())

    def ask_all(self) -> list[tuple[str, float]]:
        """Problems and seconds of each question; no problem is ''."""
        return [
            _timed(question)
            for question in (
                functools.partial(self._rest, "POST", PATH, self._body),
                functools.partial(self._rest, "GET", "/healthz"),
                functools.partial(self._rest, "GET", f"/v1/models/{MODEL}"),
                functools.partial(self._call, CALL, _prediction()),
                functools.partial(self._call, "/grpc.health.v1.Health/Check", b""),
            )
        ]

    def _rest(self, method: str, path: str, body: bytes | None = None) -> str:
        if self._context:
            other: Any = http.client.HTTPSConnection(
                "localhost", self._ports[0], timeout=10, context=self._context
            )
        else:
            other = http.client.HTTPConnection(HOST, self._ports[0], timeout=10)
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
    return prediction(photo())


def _timed(ask: Callable[[], str]) -> tuple[str, float]:
    started = time.monotonic()
    try:
        problem = ask()
    except OSError as error:
        problem = type(error).__name__
    return problem, time.monotonic() - started


def beside(name: str, base: Path, seconds: float, folder: Path) -> dict[str, Any]:
    """The answers to a well-behaved client beside a pattern, and the memory."""
    flags: tuple[str, ...] = ()
    certificate = None
    if name in OVER_TLS:
        certificate, key = _certificate(folder)
        flags = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with server(base, folder, *flags) as (pid, ports):
        client = WellBehaved(ports, certificate)
        for _ in range(5):
            client.ask_all()
        before = peak = memory_mb(pid)
        hostile = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.hostile_patterns", name]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("--patterns", default=",".join(PATTERNS))
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    allow_many_files()
    wrong = 0
    for name in arguments.patterns.split(","):
        with tempfile.TemporaryDirectory() as folder:
            row = beside(name, arguments.base, arguments.seconds, Path(folder))
        print(json.dumps(row), flush=True)
        wrong += not row["right"]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
