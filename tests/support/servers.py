"""Real servers in processes of their own, and what tests ask them."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_STARTS_WITHIN_SECONDS = 90


@dataclasses.dataclass
class Served:
    """A server that runs: where it is, and the lines that it has said."""

    process: subprocess.Popen
    lines: list[str]
    rest_port: int = 0
    grpc_port: int = 0

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> Answer:
        """One request on a connection of its own; what is no bytes goes as JSON."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.rest_port, timeout=timeout_seconds
        )
        with contextlib.closing(connection):
            return ask(connection, method, path, body, headers=headers)

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> Answer:
        return self.request("POST", path, body, **options)

    def wait_for_line(self, pattern: str, seconds: float = 60) -> str:
        """The first line with a pattern, which may be still to come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            if self.process.poll() is not None:
                time.sleep(0.2)  # its last lines are on their way
                if re.search(pattern, self.said):
                    continue
                break
            time.sleep(0.02)
        raise AssertionError(f"no line with {pattern!r} in:\n{self.said}")

    def wait_until(self, condition, seconds: float = 60) -> None:
        """Returns when a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.said
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    def states(self, name: str) -> dict[int, str]:
        """The states of a model's versions."""
        rows = self.get(f"/v1/models/{name}").json["model_version_status"]
        return {int(row["version"]): row["state"] for row in rows}

    @property
    def memory_mib(self) -> float:
        """What its process holds in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def end(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Sends a signal and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came over HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    *,
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request on a connection that is open."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


@contextlib.contextmanager
def serving(
    *arguments: str | Path, wait: bool = True, ports: tuple[int, int] = (0, 0)
) -> Iterator[Served]:
    """`zoo serve` with these arguments, ended when the block ends.

    `ports` are those of REST and gRPC; 0 is any that is free.
    """
    command = [sys.executable, "-m", "pipelines.cli", "serve", *map(str, arguments)]
    process = subprocess.Popen(
        [*command, "--rest-port", str(ports[0]), "--grpc-port", str(ports[1])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    served = Served(process, [])
    reader = threading.Thread(target=_read, args=(process.stdout, served.lines))
    reader.start()
    try:
        if wait:
            find_ports(served)
            served.wait_for_line("^ready: ", _STARTS_WITHIN_SECONDS)
        yield served
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def find_ports(served: Served) -> None:
    """Reads from what a server says where it is."""
    rest = served.wait_for_line("^REST: ", _STARTS_WITHIN_SECONDS)
    grpc = served.wait_for_line("^gRPC: ", _STARTS_WITHIN_SECONDS)
    served.rest_port = int(rest.rsplit(":", 1)[1])
    served.grpc_port = int(grpc.rsplit(":", 1)[1])


def _read(stream, lines: list[str]) -> None:
    for line in stream:
        lines.append(line)
