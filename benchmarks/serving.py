"""`zoo serve` under load, beside the artifact's own rate and a server without batches.

EfficientNet-Lite0 at 224 pixels with a head for 4 classes, JPEG photos of 500x375 as
base64 in JSON; the load is `wrk` with 16 connections. In each repetition follow each
other, so that whatever else the machine does falls on all:

`loop`: the bytes signature in batches of 16 in this process, with nothing around it.
`served`: `zoo serve` as it is. `plain`: a server as a tutorial has it
(`plain_server.py`), where each request is a call of its own. `single`: the same of
ours, `zoo serve --no-batching`, on a thread and a core for each call. Then come single
measurements: the latency of a trivial model, the first request after the start,
latencies at 70 % of the measured rate from clients that pause for random times, a new
version every few seconds, and 10 times as many requests as can be answered.

Command: python -m benchmarks.serving --repetitions=3 --seconds=8
Cost:    about 8 minutes on two CPU cores, 2.5 GB of memory. Needs `wrk`.
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from operator import truediv
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

import pipelines
from benchmarks.photos import write_photos

_BATCH = 16
_SCRIPT = """
wrk.method = "POST"
wrk.body = io.open("%s", "rb"):read("*a")
wrk.headers["Content-Type"] = "application/json"
counts = {}
local own = nil
function setup(thread) own = thread end
function response(status) counts[status] = (counts[status] or 0) + 1
  said = "" for k, v in pairs(counts) do said = said .. k .. "=" .. v .. " " end end
function done(summary, latency)
  io.write("statuses: ", own:get("said") or "", "\\n")
  io.write("micros: ", latency:percentile(50), " ", latency:percentile(99), "\\n")
  io.write("rate: ", summary.requests / summary.duration * 1e6, "\\n") end
"""


class _Trivial(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x / 2 + 2}


@contextlib.contextmanager
def _server(base: Path, *flags: str) -> Iterator[tuple[int, subprocess.Popen]]:
    """A server on a free port, ready."""
    command = ["pipelines.cli", "serve", str(base), *flags, "--name", "m"]
    with _started(*command, "--rest-port", "0", "--grpc-port", "0") as started:
        yield started


@contextlib.contextmanager
def _started(*command: str) -> Iterator[tuple[int, subprocess.Popen]]:
    """A module that prints its port, and then that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        port = 0
        for line in process.stdout or ():
            if line.startswith("REST"):
                port = int(line.rsplit(":", 1)[1])
            if line.startswith("ready"):
                break
        yield port, process
    finally:
        process.terminate()
        process.wait()


def _wrk(
    port: int, script: Path, *, connections: int, seconds: float
) -> tuple[float, dict[int, int], float, float]:
    """Requests per second, statuses, and the median and p99 in milliseconds."""
    flags = ["-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "60s"]
    url = f"http://127.0.0.1:{port}/v1/models/m:predict"
    output = subprocess.run(
        ["wrk", *flags, "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    statuses = {int(k): int(v) for k, v in re.findall(r"(\d+)=(\d+)", output)}
    rate = float(re.findall(r"rate: ([\d.]+)", output)[0])
    median, p99 = re.findall(r"micros: ([\d.]+) ([\d.]+)", output)[0]
    return rate, statuses, float(median) / 1e3, float(p99) / 1e3


def _script(folder: Path, name: str, request: object) -> Path:
    body = folder / f"{name}.json"
    body.write_text(json.dumps(request))
    script = folder / f"{name}.lua"
    script.write_text(_SCRIPT % body)
    return script


def _loop_rate(serve: Any, photos: list[bytes], seconds: float) -> float:
    batch = tf.constant([photos[i % len(photos)] for i in range(_BATCH)])
    started, count = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        serve(image_bytes=batch)["probabilities"].numpy()
        count += _BATCH
    return count / (time.monotonic() - started)


def _compare(arguments: argparse.Namespace, base: Path, photos, script) -> float:
    """The rates, interleaved; gives the median of `served`."""
    model = tf.saved_model.load(str(base / "1"))
    serve = model.signatures["serving_default"]
    _loop_rate(serve, photos, 2)
    rates: dict[str, list[float]] = {"loop": []}
    with (
        _server(base) as (served, _),
        _started("benchmarks.plain_server", str(base / "1")) as (plain, _),
        _server(base, "--no-batching") as (single, _),
    ):
        ports = {"served": served, "plain": plain, "single": single}
        for port in ports.values():
            # One first: the first sixteen at once take the plain one ten seconds.
            _post(port, json.dumps(_request(photos[0])).encode())
            _wrk(port, script, connections=16, seconds=3)
        for _ in range(arguments.repetitions):
            rates["loop"].append(_loop_rate(serve, photos, arguments.seconds))
            for name, port in ports.items():
                rate, statuses, *_ = _wrk(
                    port, script, connections=16, seconds=arguments.seconds
                )
                assert set(statuses) == {200}, (name, statuses)
                rates.setdefault(name, []).append(rate)
            now = (f"{name} {values[-1]:.1f}/s" for name, values in rates.items())
            print(", ".join(now), flush=True)
    for name in ("loop", "plain", "single"):
        ratios = sorted(map(truediv, rates["served"], rates[name]))
        print(
            f"served/{name}: median {statistics.median(ratios):.2f}",
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
        )
    return statistics.median(rates["served"])


def _post(port: int, body: bytes) -> tuple[int, float]:
    """The status of one request, and its seconds."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/v1/models/m:predict", body)
        response = connection.getresponse()
        response.read()
        return response.status, time.monotonic() - started
    finally:
        connection.close()


def _single(arguments, base: Path, rate: float, photo: bytes, folder: Path) -> None:
    body = json.dumps(_request(photo)).encode()
    script = _script(folder, "alone", _request(photo))
    with _server(base) as (port, process):
        _, first = _post(port, body)
        _, _, median, _ = _wrk(port, script, connections=1, seconds=5)
        print(f"first request {first * 1e3:.1f} ms, median alone {median:.1f} ms")
        for _ in range(arguments.repetitions):
            _, _, median, _ = _wrk(port, script, connections=1, seconds=5)
            for clients in (16, 64):
                random = _script(folder, "random", _request(photo))
                _at_random(port, random, rate, median, clients=clients)
        _reload(port, base, _script(folder, "reload", _request(photo)))
        _overload(port, process, _script(folder, "over", _request(photo)), body, rate)


def _at_random(
    port: int, script: Path, rate: float, alone_ms: float, *, clients: int
) -> None:
    """At 70 % of a rate, from clients that pause for exponential random times."""
    pause_ms = 1e3 * clients / (0.7 * rate) - 2 * alone_ms
    script.write_text(
        f"{script.read_text()}function delay() return"
        f" -math.log(1 - math.random()) * {pause_ms} end\n"
    )
    asked, statuses, median, p99 = _wrk(port, script, connections=clients, seconds=30)
    print(
        f"{clients} clients, {asked:.0f}/s, {asked / rate:.2f} of what was served:"
        f" median {median:.1f} ms, p99 {p99:.1f} ms, {p99 / alone_ms:.1f} times the"
        f" {alone_ms:.1f} ms of one alone; statuses {statuses}",
        flush=True,
    )


def _reload(port: int, base: Path, script: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        load = pool.submit(_wrk, port, script, connections=16, seconds=30)
        for number in (2, 3, 4):
            time.sleep(6)
            shutil.copytree(base / "1", base / f".new-{number}")
            (base / f".new-{number}").rename(base / str(number))
        print(f"three new versions in 30 s of load: statuses {load.result()[1]}")


def _overload(port: int, process, script: Path, body: bytes, rate: float) -> None:
    before = _memory_mb(process.pid)
    # Each connection asks once a second, if it is answered.
    script.write_text(script.read_text() + "function delay() return 1000 end\n")
    connections = int(10 * rate)
    result = _wrk(port, script, connections=connections, seconds=20)
    started, status = time.monotonic(), 0
    while status != 200 and time.monotonic() - started < 60:
        status, _ = _post(port, body)
    seconds = time.monotonic() - started
    print(
        f"{connections} requests/s for 20 s: statuses {result[1]},"
        f" p99 {result[3]:.0f} ms;"
        f" memory {before:.0f} to {_memory_mb(process.pid):.0f} MB;"
        f" then {status} {seconds:.2f} s later"
    )


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def _trivial(folder: Path) -> None:
    module, base = _Trivial(), folder / "trivial"
    tf.saved_model.save(module, str(base / "1"), {"serving_default": module.serve})
    script = _script(folder, "trivial", {"instances": [1.0]})
    with _server(base) as (port, _):
        _wrk(port, script, connections=1, seconds=2)
        rate, _, median, p99 = _wrk(port, script, connections=1, seconds=5)
        print(
            f"trivial model, one client: median {median:.2f} ms, p99 {p99:.2f} ms,"
            f" of which the call alone {_call_ms(base):.2f} ms"
        )
        rate, *_ = _wrk(port, script, connections=16, seconds=5)
        print(f"trivial model, 16 clients: {rate:.0f} requests/s")


def _call_ms(base: Path) -> float:
    """The median of the same call in this process, from numbers to numbers."""
    model = tf.saved_model.load(str(base / "1"))
    serve = model.signatures["serving_default"]
    took = []
    for _ in range(2000):
        started = time.perf_counter()
        serve(x=tf.constant([1.0]))["y"].numpy()
        took.append(time.perf_counter() - started)
    return 1e3 * statistics.median(took)


def _request(photo: bytes) -> dict:
    return {"instances": [{"b64": base64.b64encode(photo).decode()}]}


def _artifact(folder: Path) -> Path:
    run = pipelines.fine_tune(
        f"dir:{folder / 'photos'}",
        backbone="efficientnet_lite0",
        workdir=folder / "run",
        input_size_px=224,
        strategy="head_only",
    )
    return run.artifact_dir.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_photos(folder / "photos", 80)
        paths = sorted((folder / "photos").rglob("*.jpg"))
        photos = [path.read_bytes() for path in paths]
        base = _artifact(folder)
        _trivial(folder)
        script = _script(folder, "photo", _request(photos[0]))
        rate = _compare(arguments, base, photos[:1], script)
        _single(arguments, base, rate, photos[0], folder)


if __name__ == "__main__":
    main()
