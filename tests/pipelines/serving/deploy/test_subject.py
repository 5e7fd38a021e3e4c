"""The subject of a deployment: memory, names, and artifacts that are refused."""

import re
import shutil

import pytest

from pipelines.cli import main
from pipelines.errors import ConfigError
from pipelines.serving.deploy import subject


def test_memory_is_for_two_versions(documents, base):
    deployment = documents["kubernetes/deployment.yaml"]
    (serving,) = deployment["spec"]["template"]["spec"]["containers"]
    asked = serving["resources"]
    request, limit = (
        int(asked[kind]["memory"].removesuffix("Mi")) for kind in ("requests", "limits")
    )
    size = sum(p.stat().st_size for p in (base / "1").rglob("*") if p.is_file())
    assert limit > request >= 2 * size / 2**20 + 1024
    # Eight of the largest images at once: 50 megapixels of four channels, and what
    # composing them takes.
    assert limit - request >= 8 * 50e6 * 12 / 2**20
    assert "cpu" in asked["requests"]
    assert "cpu" not in asked["limits"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--target", "docker,kubernets"], 2, "allowed: .* Did you mean kubernetes"),
        (["--target", ""], 2, "allowed: docker, kubernetes, kserve"),
        (["--name", "My_Photos"], 2, "Choose another with --name my-photos"),
        (["--name", "a/b", "--target", "docker"], 2, "--name a-b"),
        (["--serving-version", "latest"], 2, "expected a release"),
        (["--digest", "proxy=latest"], 2, "expected NAME=sha256"),
        (["--digest", f"nginx=sha256:{'0' * 64}"], 2, "serving-gpu, proxy, copy"),
        ([f"--digest=proxy=sha256:{'0' * 64}"] * 2, 2, "each of these names once"),
    ],
)
def test_undeployable_artifact_is_refused_before_writing(
    base, tmp_path, capsys, arguments, code, message
):
    into = tmp_path / "into"
    assert main(["deploy", str(base), "--to", str(into), *arguments]) == code
    assert re.search(message, capsys.readouterr().err)
    assert not into.exists()


def test_other_folder_is_refused(tmp_path, capsys):
    assert main(["deploy", str(tmp_path), "--to", str(tmp_path / "d")]) == 4
    assert "is not an artifact" in capsys.readouterr().err


def test_changed_artifact_is_refused(base, tmp_path, capsys):
    shutil.copytree(base, tmp_path / "m")
    (tmp_path / "m/1/saved_model.pb").write_bytes(b"other")
    assert main(["deploy", str(tmp_path / "m"), "--to", str(tmp_path / "d")]) == 4
    assert "is not what was published" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a", "tiny-digits", "a" * 53])
def test_kubernetes_takes_names_that_are_labels(name):
    subject.require_label(name, "kubernetes")


@pytest.mark.parametrize("name", ["A", "a_b", "1a", "a-", "a" * 54, "a.b"])
def test_kubernetes_takes_no_other_names(name):
    with pytest.raises(ConfigError, match="Choose another with --name [a-z]"):
        subject.require_label(name, "kubernetes")
