"""A whole server: what it loads and refuses, and how it follows its configuration."""

import asyncio
import contextlib
import shutil
import socket
import time

import grpc
import pytest
from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving.server.app import Server
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.settings import Access, Loading, Settings
from tests.pipelines.serving.server.conftest import models_config
from tests.support.servers import serving_here

pytestmark = pytest.mark.serving

SLOW = "/v1/models/slow:predict"
FREE_PORTS = Settings(rest_port=0, grpc_port=0)


def serve(settings, *models):
    asyncio.run(Server(settings).run(models, None))


def test_unloadable_model_ends_the_server(base):
    (base / "1" / "saved_model.pb").write_bytes(b"broken")
    with pytest.raises(ArtifactError, match=r"^No version of line loads. .*be read"):
        serve(FREE_PORTS, ModelConfig("line", base))


@pytest.mark.parametrize("interface", ["REST", "gRPC"])
def test_taken_port_is_reported(base, interface):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"rest_port": 0, "grpc_port": 0, f"{interface.lower()}_port": port}
        message = f"^{interface} cannot listen at 127.0.0.1:{port}: the port is taken"
        with pytest.raises(ConfigError, match=message):
            serve(Settings(**ports), ModelConfig("line", base))


def test_changed_artifact_is_not_loaded(texts, tmp_path):
    base = tmp_path / "texts"
    shutil.copytree(texts, base)
    shutil.copytree(base / "1", tmp_path / "changed")
    variables = next((tmp_path / "changed" / "variables").glob("*.data*"))
    content = bytearray(variables.read_bytes())
    content[len(content) // 2] ^= 1
    variables.write_bytes(content)
    loading = Loading(poll_seconds=0.05, require_manifest=True)
    settings = Settings(rest_port=0, grpc_port=0, loading=loading)
    with serving_here([ModelConfig("texts", base)], settings) as served:
        (tmp_path / "changed").rename(base / "2")
        served.wait_until(lambda: served.states("texts").get(2) == "END")
        rows = served.get("/v1/models/texts/versions/2").json["model_version_status"]
        assert "is not what was published" in rows[0]["status"]["error_message"]
        assert served.states("texts")[1] == "AVAILABLE"


def test_long_computation_is_504(impatient):
    answer = impatient.post(SLOW, {"instances": [1000.0]})
    assert answer.status == 504
    assert "deadline" in answer.error.lower()


def test_endless_body_is_408(impatient):
    """S18: a byte now and then keeps no place longer than a request may take."""
    head = f"POST {SLOW} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", impatient.rest_port)) as opened:
        opened.sendall(head.encode())
        opened.settimeout(0.05)
        started, answer = time.monotonic(), b""
        while not answer and time.monotonic() - started < 30:
            with contextlib.suppress(OSError):
                opened.sendall(b" ")
                answer = opened.recv(4096)
    assert b" 408 " in answer.split(b"\r\n")[0]


@pytest.fixture
def followed(base, tmp_path, caplog):
    """A server that follows a file and takes configurations below a folder."""
    caplog.set_level("INFO", "zootune.serve")
    config = tmp_path / "models.config"
    config.write_text(models_config(first=base))
    settings = Settings(
        rest_port=0,
        grpc_port=0,
        access=Access(reload_root=tmp_path, cors=True),
        loading=Loading(config_poll_seconds=0.02),
    )
    models = [ModelConfig("first", base)]
    with serving_here(models, settings, config_file=config) as served:
        yield served, config


def write(config, text):
    """Replaces a file at once, so that no poll reads a part of it."""
    config.with_suffix(".new").write_text(text)
    config.with_suffix(".new").rename(config)


def test_configuration_is_followed_unless_broken(followed, base, tmp_path, caplog):
    """F26."""
    served, config = followed
    first = models_config(first=base)
    broken = {
        "Error parsing text-format": "model_config_list {",
        "more than once": first.replace("} }", "} " + first.split("{ ", 1)[1]),
        "not a folder": models_config(first=tmp_path / "gone"),
        "without one": "",
        "mean versions that are not loaded": first.replace(
            "} }", "version_labels { key: 'x' value: 7 } } }"
        ),
    }
    for reason, text in broken.items():
        write(config, text)
        served.wait_until(lambda text=reason: text in caplog.text)
        assert served.get("/v1/models/first").status == 200
    time.sleep(0.2)  # ten polls, none of which reports it again
    assert caplog.text.count("is not taken") == len(broken)
    answer = served.get("/v1/models/first")
    assert answer.headers["access-control-allow-origin"] == "*"
    write(config, models_config(second=base))
    served.wait_until(lambda: "is in force" in caplog.text)
    assert served.get("/v1/models/second").status == 200
    assert served.get("/v1/models/first").status == 404


def test_configuration_over_grpc_stays_below_root(followed, base):
    """S23."""
    served, _ = followed
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
        assert served.get("/v1/models/first").status == 404
