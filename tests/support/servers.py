"""Servers of tests: processes of their own, and threads of this process.

A thread starts in the time that its models take to load, without TensorFlow's import.
A process is for what happens to processes: signals, exit codes, memory, many clients.
"""

from __future__ import annotations

import asyncio
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import warm_python

if TYPE_CHECKING:
    from pipelines.serving.server.models.model_config import ModelConfig
    from pipelines.serving.server.settings import Settings

_STARTS_WITHIN_SECONDS = 90


@dataclasses.dataclass
class Served:
    """The ports of a server that runs, and requests to it."""

    rest_port: int = 0
    grpc_port: int = 0

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        timeout_seconds: float = 60,
    ) -> Answer:
        """One request on a new connection; a body that is not bytes goes as JSON."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.rest_port, timeout=timeout_seconds
        )
        with contextlib.closing(connection):
            return ask(connection, method, path, body, headers=headers)

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> Answer:
        return self.request("POST", path, body, **options)

    def check(self) -> None:
        """Fails if the server has ended."""

    def wait_until(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        """Returns when a condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition never held"
            self.check()
            time.sleep(0.02)

    def states(self, name: str) -> dict[int, str]:
        """The states of a model's versions."""
        rows = self.get(f"/v1/models/{name}").json["model_version_status"]
        return {int(row["version"]): row["state"] for row in rows}

    def metric(self, name: str, **labels: str) -> float:
        """A value from the page of metrics; 0 before it is counted."""
        from prometheus_client.parser import text_string_to_metric_families

        text = self.get("/monitoring/prometheus/metrics").body.decode()
        values = [
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(values)


@dataclasses.dataclass
class ServerProcess(Served):
    """A server in a process, and the lines that it has printed."""

    process: subprocess.Popen = dataclasses.field(kw_only=True)
    lines: list[str] = dataclasses.field(default_factory=list)
    first_request_seconds: float = 0.0

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def check(self) -> None:
        assert self.process.poll() is None, self.output

    def wait_for_line(self, pattern: str, seconds: float = 60) -> str:
        """The first line with a pattern, which may be still to come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            is_complete = self.process.stdout.closed
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            if is_complete:
                break
            time.sleep(0.02)
        raise AssertionError(f"no line with {pattern!r} in:\n{self.output}")

    @property
    def memory_mib(self) -> float:
        """Resident memory of the process."""
        return self._status("VmRSS") / 1024

    @property
    def thread_count(self) -> int:
        return self._status("Threads")

    @property
    def file_count(self) -> int:
        """Files and sockets that the process has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", status, re.MULTILINE)[1])

    def end(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Sends a signal and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


@dataclasses.dataclass
class ServerThread(Served):
    """A server in a thread of this process."""

    thread: threading.Thread = dataclasses.field(kw_only=True)

    def check(self) -> None:
        assert self.thread.is_alive(), "the server has ended"


@dataclasses.dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

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
    fields = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, fields, response.read())


@contextlib.contextmanager
def serving(*arguments: str | Path, wait: bool = True) -> Iterator[ServerProcess]:
    """`zoo serve` with these arguments in a process, on free ports.

    It ends when the block ends.
    """
    command = [sys.executable, "-m", "pipelines.cli", "serve", *map(str, arguments)]
    process = warm_python.Popen(
        [*command, "--rest-port", "0", "--grpc-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    served = ServerProcess(process=process)
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


def find_ports(served: ServerProcess) -> None:
    """Reads the ports from the lines that a server prints."""
    rest = served.wait_for_line("^REST: ", _STARTS_WITHIN_SECONDS)
    grpc = served.wait_for_line("^gRPC: ", _STARTS_WITHIN_SECONDS)
    served.rest_port = int(rest.rsplit(":", 1)[1])
    served.grpc_port = int(grpc.rsplit(":", 1)[1])


def _read(stream, lines: list[str]) -> None:
    with contextlib.closing(stream):
        for line in stream:
            lines.append(line)


@contextlib.contextmanager
def serving_here(
    models: Sequence[ModelConfig],
    settings: Settings,
    *,
    config_file: Path | None = None,
) -> Iterator[ServerThread]:
    """A server in a thread of this process; it ends when the block ends."""
    from pipelines.serving.server.app import Server, new_loop

    loop = new_loop(settings.limits.header_seconds)
    started: list[Server] = []
    errors: list[BaseException] = []

    async def work() -> None:
        started.append(Server(settings))
        await started[0].run(models, config_file)
        unloading = asyncio.all_tasks() - {asyncio.current_task()}
        for task in unloading:
            task.cancel()
        await asyncio.gather(*unloading, return_exceptions=True)

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(work())
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            errors.append(error)
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    served = ServerThread(thread=thread)
    thread.start()
    try:
        served.wait_until(lambda: errors or (started and started[0].is_ready))
        if errors:
            return
        served.rest_port = started[0].rest_port
        served.grpc_port = started[0].grpc_port
        yield served
    finally:
        with contextlib.suppress(RuntimeError):  # an error has closed the loop
            loop.call_soon_threadsafe(started[0].end)
        thread.join()
        if errors:
            raise errors[0]
