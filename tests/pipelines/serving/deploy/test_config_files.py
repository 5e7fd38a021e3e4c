"""The text files of TensorFlow Serving are the same for every target."""

from pipelines.cli import main
from pipelines.serving.server import text_files
from pipelines.serving.server.models.model_config import VersionPolicy
from tests.pipelines.serving.deploy.conftest import NAME


def test_config_map_holds_files_of_compose(folder, documents):
    data = documents["kubernetes/config-map.yaml"]["data"]
    assert set(data) == {
        "models.config",
        "batching_parameters.txt",
        "monitoring.config",
    }
    for name, text in data.items():
        assert text == (folder / "docker/config" / name).read_text()
    (model,) = text_files.parse_models(data["models.config"])
    deployment = documents["kubernetes/deployment.yaml"]
    (serving,) = deployment["spec"]["template"]["spec"]["containers"]
    mounts = {one["mountPath"]: one for one in serving["volumeMounts"]}
    assert mounts[str(model.base_path)]["subPath"] == NAME


def test_version_is_served_alone_and_base_by_newest(base, tmp_path):
    policies = {}
    for given in (base, base / "1"):
        into = tmp_path / given.name
        assert main(["deploy", str(given), "--to", str(into), "--name", NAME]) == 0
        text = (into / "docker/config/models.config").read_text()
        policies[given.name] = text_files.parse_models(text)[0].policy
    assert policies == {
        "artifact": VersionPolicy("latest", count=1),
        "1": VersionPolicy("specific", versions=frozenset({1})),
    }
