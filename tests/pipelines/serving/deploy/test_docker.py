"""The files for Docker Compose mount, serve and check what is there."""

import shutil

import yaml

from pipelines.cli import main
from pipelines.serving.deploy import images
from pipelines.serving.server import text_files
from tests.pipelines.serving.deploy.conftest import NAME, flags_of


def test_compose_mounts_files_of_the_command(folder, documents, base):
    compose = documents["docker/compose.yaml"]["services"]
    serving, proxy = compose["serving"], compose["proxy"]
    given = flags_of(serving["command"])
    mounts = {one["target"]: one for one in serving["volumes"]}
    assert all(one["read_only"] for one in [*mounts.values(), *proxy["volumes"]])
    text = (folder / "docker/config/models.config").read_text()
    (model,) = text_files.parse_models(text)
    assert model.name == NAME
    assert mounts[str(model.base_path)]["source"] == str(base)
    assert mounts["/config"]["source"] == "./config"
    for flag in ("model_config_file", "batching_parameters_file"):
        assert (folder / f"docker{given[flag]}").is_file()
    assert (folder / f"docker{given['monitoring_config_file']}").is_file()
    assert "enable_batching" in given
    assert serving["expose"] == [given["port"], given["rest_api_port"]]
    assert "ports" not in serving  # only the proxy is reached from outside
    assert proxy["ports"] == ["127.0.0.1:8501:8080"]
    for one in proxy["volumes"]:
        assert (folder / "docker" / one["source"]).is_file()


def test_gpu_file_changes_existing_services_only(folder, documents):
    changed = documents["docker/compose.gpu.yaml"]["services"]
    assert set(changed) < set(documents["docker/compose.yaml"]["services"])
    serving = changed["serving"]
    assert serving["image"] == f"tensorflow/serving:{images.SERVING_VERSION}-gpu"
    (device,) = serving["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    path = flags_of(serving["command"])["batching_parameters_file"]
    batching = text_files.parse_batching((folder / f"docker{path}").read_text())
    assert batching.allowed_batch_sizes[-1] == batching.max_batch_size == 64


def test_dollar_in_path_is_escaped_for_compose(base, tmp_path):
    odd = tmp_path / "a$HOME" / "m"
    shutil.copytree(base, odd)
    into = tmp_path / "d"
    assert main(["deploy", str(odd), "--to", str(into), "--target", "docker"]) == 0
    compose = yaml.safe_load((into / "docker/compose.yaml").read_text())
    source = compose["services"]["serving"]["volumes"][0]["source"]
    assert source == str(odd).replace("$", "$$")
