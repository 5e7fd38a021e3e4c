"""What goes wrong while a server runs, and what clients notice of it: nothing."""

import concurrent.futures
import contextlib
import http.client
import os
import shutil
import signal
import socket
import threading
import time

import grpc
import pytest
import tensorflow as tf
from prometheus_client.parser import text_string_to_metric_families
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.faults.kills import IS_LONG
from tests.pipelines.serving.server.conftest import publish
from tests.support.servers import ask, find_ports, serving

pytestmark = [pytest.mark.serving, pytest.mark.faults]

LINE = "/v1/models/line:predict"
SLOW = "/v1/models/slow:predict"
FAST_POLLS = ("--poll-seconds", "0.1", "--load-retry-seconds", "0.2")


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    from tests.conformance import models

    base = tmp_path_factory.mktemp("models") / "slow"
    models.save(models.Slow(), base / "1")
    return base


class Clients:
    """Threads that ask without a pause, each on one connection, and keep what came."""

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

    @property
    def all(self):
        return [one for answers in self.answers for one in answers]


def files_of(served):
    """How many files a server has open."""
    return len(os.listdir(f"/proc/{served.process.pid}/fd"))  # noqa: PTH208


def p99_microseconds(served, name):
    """Of a histogram: the bound of the bucket that it is in."""
    text = served.get("/monitoring/prometheus/metrics").body.decode()
    (family,) = [
        one for one in text_string_to_metric_families(text) if one.name == name
    ]
    buckets = [one for one in family.samples if one.name == f"{name}_bucket"]
    bounds = {float(one.labels["le"]): one.value for one in buckets}
    return next(b for b in sorted(bounds) if bounds[b] >= 0.99 * max(bounds.values()))


def test_versions_come_break_and_go_under_load(base, lines):
    """F15, F16, F17 and F23 in one life of a server."""
    with serving(base, *FAST_POLLS) as served:
        with Clients(served, LINE, {"instances": [0.0]}) as clients:
            for number in (2, 3):
                time.sleep(1)
                publish(lines, base, number)
                served.wait_until(
                    lambda n=number: served.states("line").get(n) == "AVAILABLE"
                )
            served.wait_until(lambda: served.states("line")[2] == "END")
            time.sleep(0.5)
        assert {one.status for one in clients.all} == {200}
        for answers in clients.answers:
            versions = [one.json["predictions"][0] for one in answers]
            assert versions == sorted(versions)
            assert {versions[0], versions[-1]} == {1.0, 3.0}

        _break_versions(base, lines)
        with Clients(served, LINE, {"instances": [0.0]}) as clients:
            for number in (4, 5, 6, 7):
                (base / f".broken-{number}").rename(base / str(number))
                served.wait_until(
                    lambda n=number: served.states("line").get(n) == "END"
                )
        assert {one.status for one in clients.all} == {200}
        assert {one.json["predictions"][0] for one in clients.all} == {3.0}

        def says_why() -> bool:
            found = served.get("/v1/models/line/versions/4").json
            status = found["model_version_status"][0]["status"]
            failed = status["error_code"] == "FAILED_PRECONDITION"
            return failed and "does not load" in status["error_message"]

        # Not while it is tried again.
        served.wait_until(says_why)
        metrics = served.get("/monitoring/prometheus/metrics").body.decode()
        assert ':zootune:serving:load_failures{model_name="line"}' in metrics

        publish(lines, base, 8, source=4)
        served.wait_until(lambda: served.states("line").get(8) == "AVAILABLE")
        served.wait_until(lambda: served.states("line")[3] == "END")
        for number in range(4, 9):
            shutil.rmtree(base / str(number))
        served.wait_until(lambda: served.states("line").get(3) == "AVAILABLE")
        assert served.post(LINE, {"instances": [0.0]}).json == {"predictions": [3.0]}
        for path in base.glob("[0-9]*"):
            shutil.rmtree(path)
        time.sleep(0.5)
        assert served.post(LINE, {"instances": [0.0]}).status == 200
        publish(lines, base, 3)
        publish(lines, base, 9, source=2)
        served.wait_until(lambda: served.states("line").get(9) == "AVAILABLE")
        (base / "9" / "saved_model.pb").write_bytes(b"broken")
        # What an export that was killed leaves is no version.
        shutil.copytree(lines / "2", base / ".unpublished-10")
        assert served.end(signal.SIGKILL) == -signal.SIGKILL
    with serving(base) as served:  # the newest is broken, so the one before is served
        assert served.post(LINE, {"instances": [0.0]}).json == {"predictions": [3.0]}
        assert served.states("line") == {9: "END", 3: "AVAILABLE"}


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


def test_an_artifact_that_changed_is_not_loaded_and_the_old_one_stays(
    artifact, tmp_path
):
    base = tmp_path / "digits"
    shutil.copytree(artifact, base)
    shutil.copytree(base / "1", tmp_path / "changed")
    variables = next((tmp_path / "changed" / "variables").glob("*.data*"))
    content = bytearray(variables.read_bytes())
    content[len(content) // 2] ^= 1
    variables.write_bytes(content)
    with serving(base, *FAST_POLLS, "--require-manifest") as served:
        (tmp_path / "changed").rename(base / "2")
        served.wait_until(lambda: served.states("digits").get(2) == "END")
        rows = served.get("/v1/models/digits/versions/2").json["model_version_status"]
        assert "is not what was published" in rows[0]["status"]["error_message"]
        assert served.states("digits")[1] == "AVAILABLE"


def test_a_server_without_a_version_that_loads_says_why(base, tmp_path):
    (base / "1" / "saved_model.pb").write_bytes(b"broken")
    with serving(base, wait=False) as served:
        assert served.process.wait(90) == 4
        served.wait_for_line("zoo: No version of line loads. .*cannot be read")
        assert "Traceback" not in served.said


def test_overload_is_refused_and_over_at_once(slow, tmp_path):
    """F18: a queue of 8 calls of 20 ms each, and 64 clients."""
    parameters = tmp_path / "batching.txt"
    parameters.write_text(
        "max_batch_size { value: 1 } max_enqueued_batches { value: 8 }"
        " num_batch_threads { value: 1 }"
    )
    flags = ("--batching-parameters", parameters, "--max-in-flight", "40")
    with serving(slow, *flags) as served:
        assert served.post(SLOW, {"instances": [20.0]}).status == 200
        before = served.memory_mib
        with Clients(served, SLOW, {"instances": [20.0]}, count=64) as clients:
            time.sleep(6)
        ended = time.monotonic()
        assert served.post(SLOW, {"instances": [1.0]}).status == 200
        assert time.monotonic() - ended < 2
        counts = {}
        for answer in clients.all:
            counts[answer.status] = counts.get(answer.status, 0) + 1
            if answer.status != 200:
                assert answer.error
                assert int(answer.headers["retry-after"]) >= 1
        assert set(counts) == {200, 429, 503}
        # Eight wait while one is computed, and not all 64; a bucket is 1.8 times wide.
        waited = p99_microseconds(
            served, ":tensorflow:serving:batching_session:queuing_latency"
        )
        computed = p99_microseconds(served, ":tensorflow:serving:runtime_latency")
        assert waited < 9 * 1.8 * computed
        assert served.memory_mib - before < 100
        _check_deadlines(served)


def _check_deadlines(served):
    """F19: what is late is said to be, and is not computed."""

    def computed():
        text = served.get("/monitoring/prometheus/metrics").body.decode()
        name = ':tensorflow:serving:runtime_latency_count{model_name="slow"}'
        return float(
            next(s for s in text.splitlines() if s.startswith(name)).split()[1]
        )

    with grpc.insecure_channel(served.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def request(rounds):
            message = predict_pb2.PredictRequest()
            message.model_spec.name = "slow"
            message.inputs["x"].CopyFrom(tf.make_tensor_proto([float(rounds)]))
            return message

        before = computed()
        long = stub.Predict.future(request(1000), timeout=60)
        time.sleep(0.1)
        late = [stub.Predict.future(request(1000), timeout=0.05) for _ in range(5)]
        codes = {one.code() for one in late}
        assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert long.code() == grpc.StatusCode.OK
        stub.Predict(request(1), timeout=60)
        assert computed() - before == 2


def test_a_request_that_takes_too_long_is_504(slow):
    with serving(slow, "--timeout-seconds", "0.5") as served:
        answer = served.post(SLOW, {"instances": [3000.0]})
        assert answer.status == 504
        assert "deadline" in answer.error.lower()
        _send_a_body_that_never_ends(served)


def _send_a_body_that_never_ends(served):
    """S18: a byte from time to time keeps no place longer than a request may take."""
    head = f"POST {SLOW} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.rest_port)) as opened:
        opened.sendall(head.encode())
        opened.settimeout(0.1)
        started, answer = time.monotonic(), b""
        while not answer and time.monotonic() - started < 30:
            with contextlib.suppress(OSError):
                opened.sendall(b" ")
                answer = opened.recv(4096)
    assert b" 408 " in answer.split(b"\r\n")[0]


def test_the_end_waits_for_all_that_is_in_flight(slow):
    """F21."""
    with serving(slow, "--drain-delay-seconds", "0.5") as served:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(served.post, SLOW, {"instances": [500.0]}) for _ in range(4)
            ]
            with grpc.insecure_channel(served.grpc_address) as channel:
                stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                message = predict_pb2.PredictRequest()
                message.model_spec.name = "slow"
                message.inputs["x"].CopyFrom(tf.make_tensor_proto([500.0]))
                over_grpc = stub.Predict.future(message, timeout=60)
                time.sleep(0.3)
                served.process.send_signal(signal.SIGTERM)
                time.sleep(0.1)
                assert served.get("/readyz").status == 503
                assert served.get("/healthz").status == 200
                assert over_grpc.code() == grpc.StatusCode.OK
            assert {one.result().status for one in asked} == {200}
        assert served.process.wait(30) == 0
        with pytest.raises(OSError, match="refused"):
            served.get("/healthz")
        assert "Traceback" not in served.said


def test_a_second_signal_ends_at_once(slow):
    with serving(slow) as served:
        asking = threading.Thread(target=_ask_quietly, args=(served,))
        asking.start()
        time.sleep(0.5)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert served.process.poll() is None
        assert served.end(signal.SIGTERM, seconds=5) == 143
        asking.join()


def _ask_quietly(served):
    with contextlib.suppress(OSError, http.client.HTTPException):
        served.post(SLOW, {"instances": [60_000.0]})


def test_the_end_may_come_while_a_model_loads(slow):
    """F22."""
    with serving(slow, wait=False) as served:
        find_ports(served)
        assert served.end(signal.SIGTERM, seconds=30) == 0
        assert "Traceback" not in served.said


def test_forty_one_reloads_take_no_memory(base, lines):
    """F25: seconds of sound and bad requests; ZOOTUNE_LONG_FAULTS=1: ten minutes."""
    pause_seconds = 600 / 41 if IS_LONG else 0.0
    with (
        serving(base, "--poll-seconds", "0.05") as served,
        contextlib.ExitStack() as all_,
    ):
        asked = {
            200: (LINE, {"instances": [0.0]}),
            400: (LINE, {"instances": ["a"]}),
            404: (LINE.replace("line", "none"), {"instances": [0.0]}),
        }
        clients = {
            status: all_.enter_context(Clients(served, *how, count=1))
            for status, how in asked.items()
        }
        found = []
        for number in range(2, 43):
            publish(lines, base, number, source=1 + number % 4)
            served.wait_until(
                lambda n=number: served.states("line").get(n) == "AVAILABLE"
            )
            shutil.rmtree(base / str(number - 1))
            time.sleep(pause_seconds)
            found.append((served.memory_mib, files_of(served)))
        all_.close()
        for status, client in clients.items():
            assert {one.status for one in client.all} == {status}
        # Python collects what was unloaded now and then, so the least of each counts.
        # The first five fill what is filled once.
        (memory, files), (memory_after, files_after) = map(
            _least, (found[5:20], found[20:])
        )
        assert memory_after - memory < 50
        assert files_after <= files + 3


def _least(found):
    return tuple(map(min, zip(*found)))


CONFIG = """model_config_list {{ config {{ name: '{name}' base_path: '{base}' }} }}"""


def test_a_configuration_is_followed_and_a_broken_one_is_not(base, tmp_path):
    """F26, and S23: who may send one, and which."""
    path = tmp_path / "models.config"
    path.write_text(CONFIG.format(name="first", base=base))
    flags = ("--config-poll-seconds", "0.1", "--reload-root", tmp_path, "--cors")
    with serving("--model-config", path, *flags) as served:
        one = CONFIG.format(name="first", base=base)
        broken = {
            "Error parsing text-format": "model_config_list {",
            "more than once": one.replace("} }", "} " + one.split("{ ", 1)[1]),
            "no folder": CONFIG.format(name="first", base=tmp_path / "gone"),
            "without one": "",
            "mean versions that are not loaded": one.replace(
                "} }", "version_labels { key: 'x' value: 7 } } }"
            ),
        }
        for said, text in broken.items():
            path.write_text(text)
            served.wait_for_line(f"is not taken, .*{said}")
            assert served.get("/v1/models/first").status == 200
        time.sleep(0.5)
        assert served.said.count("is not taken") == len(broken)
        answer = served.get("/v1/models/first")
        assert answer.headers["access-control-allow-origin"] == "*"
        path.write_text(CONFIG.format(name="second", base=base))
        served.wait_for_line("is in force")
        assert served.get("/v1/models/second").status == 200
        assert served.get("/v1/models/first").status == 404
        _reload_over_grpc(served, base)


def _reload_over_grpc(served, base):
    with grpc.insecure_channel(served.grpc_address) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)

        def reload(**config):
            request = model_management_pb2.ReloadConfigRequest()
            request.config.model_config_list.config.add(**config)
            return stub.HandleReloadConfigRequest(request, timeout=60)

        for outside in ("/", str(base / ".." / ".." / "..")):
            with pytest.raises(grpc.RpcError) as error:
                reload(name="third", base_path=outside)
            assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED
        with pytest.raises(grpc.RpcError) as error:
            reload(name="third", base_path="gs://bucket/model")
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert reload(name="third", base_path=str(base)).status.error_code == 0
        assert served.get("/v1/models/third").status == 200
        assert served.get("/v1/models/second").status == 404


def test_a_token_and_tls(base, tmp_path):
    import subprocess

    from pipelines.serving.client import GrpcClient, RestClient, ServerError

    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-keyout", key, "-out", certificate, "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    token = tmp_path / "token"
    token.write_text("secret\n")
    flags = ("--tls-key", key, "--tls-certificate", certificate, "--token-file", token)
    with serving(base, *flags) as served:
        rest = f"https://127.0.0.1:{served.rest_port}"
        addresses = {RestClient: rest, GrpcClient: f"localhost:{served.grpc_port}"}
        for kind, address in addresses.items():
            for given in (None, "wrong"):
                client = kind(address, model="line", token=given, ca_file=certificate)
                with pytest.raises(ServerError, match="401|UNAUTHENTICATED"):
                    client.predict(["x"])
            client = kind(address, model="line", token="secret", ca_file=certificate)
            # It is let in; the model is no classifier, which is another matter.
            with pytest.raises(ServerError, match="400|FAILED_PRECONDITION"):
                client.predict(["x"])
        assert "secret" not in served.said


def test_a_port_that_is_taken_is_said(base):
    import subprocess
    import sys

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "pipelines.cli", "serve", str(base)]
            + ["--rest-port", port, "--grpc-port", "0"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ended.returncode == 2
    assert f"REST cannot listen at 127.0.0.1:{port}: the port is taken" in ended.stderr
