"""Faults while a server process runs, and what clients notice of them: nothing."""

import concurrent.futures
import http.client
import os
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
import tensorflow as tf
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.faults.kills import IS_LONG
from tests.pipelines.serving.server.conftest import models_config, publish
from tests.support.servers import ServerProcess, ask, find_ports, serving

pytestmark = [pytest.mark.serving, pytest.mark.faults]

LINE = "/v1/models/line:predict"
RELOADED = "/v1/models/reloaded:predict"
SLOW = "/v1/models/slow:predict"
FAST_POLLS = ("--poll-seconds", "0.05", "--load-retry-seconds", "0.2")


class Lively(NamedTuple):
    """A process with two models whose versions come and go, and their folders."""

    served: ServerProcess
    line: Path
    reloaded: Path


@pytest.fixture(scope="module")
def lively(lines, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lively")
    bases = {name: folder / name for name in ("line", "reloaded")}
    for base in bases.values():
        publish(lines, base, 1)
    config = folder / "models.config"
    config.write_text(models_config(**bases))
    with serving("--model-config", config, *FAST_POLLS) as served:
        yield Lively(served, **bases)


@pytest.fixture(scope="module")
def restarted(lively, lines):
    """A process on the folder of one that was killed while a version was exported."""
    served, base = lively.served, lively.line
    publish(lines, base, 93, source=3)
    served.wait_until(lambda: served.states("line").get(93) == "AVAILABLE")
    publish(lines, base, 99, source=2)
    served.wait_until(lambda: served.states("line").get(99) == "AVAILABLE")
    (base / "99" / "saved_model.pb").write_bytes(b"broken")
    # A killed export leaves a folder that is not a version.
    shutil.copytree(lines / "2", base / ".unpublished-100")
    assert served.end(signal.SIGKILL) == -signal.SIGKILL
    with serving(base, "--drain-delay-seconds", "60") as again:
        yield again


@pytest.fixture(scope="module")
def slow_served(slow, tmp_path_factory):
    """A process with one thread that computes, and a queue of 8 calls."""
    parameters = tmp_path_factory.mktemp("parameters") / "batching.txt"
    parameters.write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 8 }"
        " num_batch_threads { value: 1 }"
    )
    flags = ("--batching-parameters", parameters, "--max-in-flight", "40")
    with serving(slow, *flags, "--drain-delay-seconds", "1") as served:
        yield served


class Clients:
    """Threads that ask without a pause, each on one connection, and keep answers."""

    def __init__(self, served, path, body, *, count=4):
        self._served, self._path, self._body = served, path, body
        self._ended = threading.Event()
        self.answers = [[] for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._ask, args=(into,)) for into in self.answers
        ]

    def _ask(self, into):
        connection = http.client.HTTPConnection("127.0.0.1", self._served.rest_port)
        while not self._ended.is_set():
            into.append(ask(connection, "POST", self._path, self._body))
        connection.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self, count):
        """Returns when every client has `count` more answers."""
        goals = [len(answers) + count for answers in self.answers]
        self._served.wait_until(
            lambda: all(len(a) >= goal for a, goal in zip(self.answers, goals))
        )

    @property
    def all(self):
        return [answer for answers in self.answers for answer in answers]

    @property
    def statuses(self):
        return Counter(answer.status for answer in self.all)


def p99_microseconds(served, name):
    """The upper bound of the bucket in which the 99th percentile lies."""
    text = served.get("/monitoring/prometheus/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    bounds = {
        float(sample.labels["le"]): sample.value
        for sample in families[name].samples
        if sample.name == f"{name}_bucket"
    }
    return next(b for b in sorted(bounds) if bounds[b] >= 0.99 * max(bounds.values()))


def slow_request(rounds):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "slow"
    message.inputs["x"].CopyFrom(tf.make_tensor_proto([float(rounds)]))
    return message


def test_forty_one_reloads_take_no_memory(lively, lines):
    """F25: seconds of sound and bad requests; ZOOTUNE_LONG_FAULTS=1: ten minutes."""
    pause_seconds = 600 / 41 if IS_LONG else 0.0
    served, base = lively.served, lively.reloaded
    sound = Clients(served, RELOADED, {"instances": [0.0]}, count=1)
    bad = Clients(served, RELOADED, {"instances": ["a"]}, count=1)
    unknown = Clients(served, "/v1/models/no:predict", {"instances": [0.0]}, count=1)
    seen = []
    with sound, bad, unknown:
        for number in range(2, 43):
            publish(lines, base, number, source=1 + number % 4)
            served.wait_until(
                lambda n=number: served.states("reloaded").get(n) == "AVAILABLE"
            )
            shutil.rmtree(base / str(number - 1))
            time.sleep(pause_seconds)
            seen.append((served.memory_mib, served.file_count))
    for client, status in ((sound, 200), (bad, 400), (unknown, 404)):
        assert set(client.statuses) == {status}
    # Python collects what was unloaded now and then, so the least of each counts.
    # The first five fill what is filled once.
    (memory, files), (memory_after, files_after) = map(_least, (seen[5:20], seen[20:]))
    assert memory_after - memory < 50
    assert files_after <= files + 3


def _least(seen):
    return tuple(map(min, zip(*seen)))


def test_versions_come_break_and_go_under_load(lively, lines):
    """F15, F16 and F17 in one life of a server."""
    served, base = lively.served, lively.line
    with Clients(served, LINE, {"instances": [0.0]}) as clients:
        clients.wait_for_more(10)
        for number in (2, 3):
            publish(lines, base, number)
            served.wait_until(
                lambda n=number: served.states("line").get(n) == "AVAILABLE"
            )
            clients.wait_for_more(10)
        served.wait_until(lambda: served.states("line")[2] == "END")
    assert set(clients.statuses) == {200}
    for answers in clients.answers:
        versions = [answer.json["predictions"][0] for answer in answers]
        assert versions == sorted(versions)
        assert {versions[0], versions[-1]} == {1.0, 3.0}

    _break_versions(base, lines)
    with Clients(served, LINE, {"instances": [0.0]}) as clients:
        for number in (4, 5, 6, 7):
            (base / f".broken-{number}").rename(base / str(number))
            served.wait_until(lambda n=number: served.states("line").get(n) == "END")
    assert set(clients.statuses) == {200}
    assert {answer.json["predictions"][0] for answer in clients.all} == {3.0}
    # Not while it is tried again.
    served.wait_until(lambda: _has_failed_to_load(served, 4))
    assert served.metric(":zootune:serving:load_failures", model_name="line")

    publish(lines, base, 8, source=4)
    served.wait_until(lambda: served.states("line").get(8) == "AVAILABLE")
    served.wait_until(lambda: served.states("line")[3] == "END")
    for number in range(4, 9):
        shutil.rmtree(base / str(number))
    served.wait_until(lambda: served.states("line").get(3) == "AVAILABLE")
    assert served.post(LINE, {"instances": [0.0]}).json == {"predictions": [3.0]}
    for path in base.glob("[0-9]*"):
        shutil.rmtree(path)
    (base / "9").mkdir()  # once this is seen, so is that the others are gone
    served.wait_until(lambda: served.states("line").get(9) == "END")
    assert served.post(LINE, {"instances": [0.0]}).status == 200


def test_closed_terminal_ends_no_server(lively):
    lively.served.process.send_signal(signal.SIGHUP)
    lively.served.wait_for_line("SIGHUP is ignored: versions are looked for every 0.05")
    assert lively.served.get("/readyz").status == 200


def _has_failed_to_load(served, number):
    rows = served.get(f"/v1/models/line/versions/{number}").json["model_version_status"]
    status = rows[0]["status"]
    is_precondition = status["error_code"] == "FAILED_PRECONDITION"
    return is_precondition and "does not load" in status["error_message"]


def _break_versions(base, lines):
    """Versions that are not whole: no variables, no graph, a link, a pipe."""
    for number in (4, 5, 6, 7):
        shutil.copytree(lines / "4", base / f".broken-{number}")
    shutil.rmtree(base / ".broken-4" / "variables")
    (base / ".broken-5" / "saved_model.pb").write_bytes(b"\xff" * 100)
    graph = base / ".broken-6" / "saved_model.pb"
    graph.unlink()
    graph.symlink_to(lines / "4" / "saved_model.pb")
    os.mkfifo(base / ".broken-7" / "assets" / "pipe")


def test_killed_server_serves_newest_whole_version(restarted):
    """F23."""
    assert restarted.post(LINE, {"instances": [0.0]}).json == {"predictions": [3.0]}
    states = restarted.states("line")
    assert states[99] == "END"
    assert states[93] == "AVAILABLE"
    assert 100 not in states


def test_second_signal_ends_at_once(restarted):
    """F21: the first one waits for clients that come late, a minute here."""
    restarted.process.send_signal(signal.SIGTERM)
    restarted.wait_until(lambda: restarted.get("/readyz").status == 503)
    assert restarted.process.poll() is None
    assert restarted.end(signal.SIGTERM, seconds=5) == 143


def test_overload_is_refused_and_over_at_once(slow_served):
    """F18: calls of 20 ms each, and 64 clients."""
    served = slow_served
    assert served.post(SLOW, {"instances": [20.0]}).status == 200
    before = served.memory_mib
    with Clients(served, SLOW, {"instances": [20.0]}, count=64) as clients:
        served.wait_until(
            lambda: clients.statuses[200] >= 100 and {429, 503} <= set(clients.statuses)
        )
    ended = time.monotonic()
    assert served.post(SLOW, {"instances": [1.0]}).status == 200
    assert time.monotonic() - ended < 2
    assert set(clients.statuses) == {200, 429, 503}
    for answer in clients.all:
        if answer.status != 200:
            assert answer.error
            assert int(answer.headers["retry-after"]) >= 1
    # Eight wait while one is computed, and not all 64; a bucket is 1.8 times wide.
    waited = p99_microseconds(
        served, ":tensorflow:serving:batching_session:queuing_latency"
    )
    computed = p99_microseconds(served, ":tensorflow:serving:runtime_latency")
    assert waited < 9 * 1.8 * computed
    assert served.memory_mib - before < 100


def test_late_calls_are_not_computed(slow_served):
    """F19: they end with their deadline while another one is computed."""
    served = slow_served

    def computed():
        return served.metric(
            ":tensorflow:serving:runtime_latency_count", model_name="slow"
        )

    def taken():
        return served.metric(
            ":tensorflow:serving:batching_session:queuing_latency_count"
        )

    before, taken_before = computed(), taken()
    with grpc.insecure_channel(served.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        long = stub.Predict.future(slow_request(1000), timeout=60)
        served.wait_until(lambda: taken() > taken_before)
        late = [stub.Predict.future(slow_request(1000), timeout=0.05) for _ in range(5)]
        codes = {call.code() for call in late}
        assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert long.code() == grpc.StatusCode.OK
        stub.Predict(slow_request(1), timeout=60)
    assert computed() - before == 2


def test_end_waits_for_requests_in_flight(slow_served):
    """F21."""
    served = slow_served

    def in_flight():
        served.get("/v1/models/slow")  # the metric is as old as the last answer
        return served.metric(":zootune:serving:requests_in_flight")

    with (
        concurrent.futures.ThreadPoolExecutor(4) as pool,
        grpc.insecure_channel(served.grpc_address) as channel,
    ):
        calls = [
            pool.submit(served.post, SLOW, {"instances": [400.0]}) for _ in range(4)
        ]
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        over_grpc = stub.Predict.future(slow_request(400), timeout=60)
        served.wait_until(lambda: in_flight() == 5)
        served.process.send_signal(signal.SIGTERM)
        served.wait_until(lambda: served.get("/readyz").status == 503)
        assert served.get("/healthz").status == 200
        assert over_grpc.code() == grpc.StatusCode.OK
        assert {call.result().status for call in calls} == {200}
    assert served.process.wait(30) == 0
    with pytest.raises(OSError, match="refused"):
        served.get("/healthz")
    assert "Traceback" not in served.output


def test_end_may_come_while_model_loads(slow):
    """F22."""
    with serving(slow, wait=False) as served:
        find_ports(served)
        assert served.end(signal.SIGTERM, seconds=30) == 0
        assert "Traceback" not in served.output
