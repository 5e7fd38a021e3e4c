"""The files of `zoo deploy` at work: our server reads them, and nginx runs them."""

import base64
import http.client
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from pipelines.cli import main
from pipelines.serving.server import text_files
from pipelines.serving.server.settings import Settings
from tests.pipelines.serving.deploy.conftest import NAME
from tests.support.servers import Answer, ask, serving_here

pytestmark = pytest.mark.serving

PREDICT = f"/v1/models/{NAME}:predict"
_NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory) -> Path:
    """The files of two targets, for a proxy that writes into them."""
    into = tmp_path_factory.mktemp("served") / "files"
    command = ["deploy", str(base), "--to", str(into), "--name", NAME]
    assert main([*command, "--target", "docker,kubernetes"]) == 0
    return into


@pytest.fixture(scope="module")
def served(folder, base):
    """Our server on the three files, with the folder of versions where it is here."""
    config = folder / "docker/config"
    models = config / "models.config"
    text = models.read_text()
    assert text.count(f"/models/{NAME}") == 1
    here = folder / "here.config"
    here.write_text(text.replace(f"/models/{NAME}", str(base)))
    batching = text_files.parse_batching(
        (config / "batching_parameters.txt").read_text()
    )
    metrics_path = text_files.parse_metrics_path(
        (config / "monitoring.config").read_text()
    )
    settings = Settings(
        rest_port=0, grpc_port=0, batching=batching, metrics_path=metrics_path
    )
    with serving_here(text_files.parse_models(here.read_text()), settings) as server:
        yield server


@pytest.fixture(scope="module")
def photo() -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(tf.zeros([24, 24, 3], tf.uint8)).numpy()


def asked_with(photo: bytes) -> dict:
    return {"instances": [{"b64": base64.b64encode(photo).decode()}]}


def test_our_server_serves_what_the_files_say(served, photo):
    (row,) = served.post(PREDICT, asked_with(photo)).json["predictions"]
    assert row["valid"] is True
    metrics = served.get("/monitoring/prometheus/metrics")
    assert metrics.status == 200
    assert b":tensorflow:serving:request_count" in metrics.body


def test_probes_ask_what_the_server_answers(served, folder):
    deployment = yaml.safe_load((folder / "kubernetes/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe"):
        path = container[probe]["httpGet"]["path"]
        assert served.get(path).status == 200
        assert served.get(path.replace(NAME, "other")).status == 404


def test_compose_health_check_knows_ready(served, folder):
    compose = yaml.safe_load((folder / "docker/compose.yaml").read_text())
    *_, script = compose["services"]["serving"]["healthcheck"]["test"]
    script = script.replace("$$", "$").replace("/8501", f"/{served.rest_port}")

    def code(text: str) -> int:
        return subprocess.run(["bash", "-c", text], check=False).returncode

    assert code(script) == 0
    assert code(script.replace(NAME, "other")) == 1


@pytest.fixture(scope="module")
def proxy(folder, served, tmp_path_factory):
    """nginx with the configuration that was written, and what the README adds to it."""
    if _NGINX is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = folder / "docker/proxy/nginx.conf"
    text = configuration.read_text()
    for written, here in (
        ("server serving:8501;", f"server 127.0.0.1:{served.rest_port};"),
        ("listen 8080;", f"listen 127.0.0.1:{port};"),
        ("client_max_body_size 32m;", "client_max_body_size 1m;"),
        ("pid /tmp/nginx.pid;", ""),
    ):
        assert text.count(written) == 1
        text = text.replace(written, here)
    scratch = tmp_path_factory.mktemp("nginx")
    text = text.replace(" /tmp/", f" {scratch}/")
    configuration.write_text(text)
    token = _given_entry(folder)
    # Workers are nobody otherwise, who may not look into the folders of tests.
    globals_ = f"daemon off; pid {scratch}/pid; error_log {scratch}/log; user root;"
    command = [_NGINX, "-p", scratch, "-c", configuration, "-g", globals_]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_open(port, process)
        yield port, token
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()


def _given_entry(folder: Path) -> str:
    """Does what the README says to be let in, and gives the token."""
    readme = (folder / "README.md").read_text()
    (line,) = re.findall(r"^echo .*tokens\.map$", readme, re.MULTILINE)
    token = "0aF" * 20
    script = f"token={token}\n{line}"
    subprocess.run(["bash", "-euc", script], cwd=folder / "docker", check=True)
    if shutil.which("htpasswd"):
        passwords = folder / "docker/proxy/users.htpasswd"
        subprocess.run(
            ["htpasswd", "-B", "-b", passwords, "ada", "lovelace"],
            check=True,
            capture_output=True,
        )
    return token


def _wait_until_open(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def through(proxy, body, *, path=PREDICT, method="POST", **headers) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", proxy[0], timeout=60)
    try:
        return ask(connection, method, path, body, headers=headers)
    finally:
        connection.close()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_the_proxy_lets_a_bearer_in(proxy, photo):
    answer = through(proxy, asked_with(photo), Authorization=f"Bearer {proxy[1]}")
    assert answer.status == 200
    assert answer.json["predictions"][0]["valid"] is True


def test_proxy_accepts_name_and_password(proxy, photo):
    if not shutil.which("htpasswd"):
        pytest.skip("htpasswd is not installed: apt-get install apache2-utils")
    answer = through(proxy, asked_with(photo), Authorization=basic("ada", "lovelace"))
    assert answer.status == 200


@pytest.mark.parametrize("kind", ["none", "wrong", "case", "longer", "password"])
def test_the_proxy_lets_nobody_else_in(proxy, photo, kind):
    headers = {
        "none": {},
        "wrong": {"Authorization": "Bearer x"},
        "case": {"Authorization": f"Bearer {proxy[1].lower()}"},
        "longer": {"Authorization": f"Bearer {proxy[1]}0"},
        "password": {"Authorization": basic("ada", "byron")},
    }[kind]
    answer = through(proxy, asked_with(photo), **headers)
    assert answer.status == 401
    assert "Basic" in answer.headers["www-authenticate"]


def test_proxy_refuses_large_bodies_gzip_and_other_paths(proxy):
    let_in = {"Authorization": f"Bearer {proxy[1]}"}
    large = b" " * (2**20 + 1)
    gzip = {"Content-Encoding": "gzip"}
    assert through(proxy, large, **let_in).status == 413
    assert through(proxy, b"x", **let_in, **gzip).status == 415
    assert through(proxy, b"x", method="PUT", **let_in).status == 405
    metrics = "/monitoring/prometheus/metrics"
    assert through(proxy, None, method="GET", path=metrics, **let_in).status == 404
    assert through(proxy, None, method="GET", path="/healthz").status == 204
