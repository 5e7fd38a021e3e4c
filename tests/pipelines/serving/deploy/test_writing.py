"""Files are written whole, and secrets stay as they are."""

import json
from pathlib import Path

import yaml

from pipelines.cli import main
from pipelines.commands.models import deploy
from pipelines.serving.deploy import nginx
from pipelines.serving.deploy.targets import TARGETS


def test_every_target_has_exactly_its_files(folder):
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "README.md",
        "docker/compose.yaml",
        "docker/compose.gpu.yaml",
        "docker/config/models.config",
        "docker/config/batching_parameters.txt",
        "docker/config/batching_parameters_gpu.txt",
        "docker/config/monitoring.config",
        "docker/proxy/nginx.conf",
        "docker/proxy/tokens.map",
        "docker/proxy/users.htpasswd",
        "kubernetes/config-map.yaml",
        "kubernetes/volume-claim.yaml",
        "kubernetes/deployment.yaml",
        "kubernetes/service.yaml",
        "kubernetes/autoscaler.yaml",
        "kubernetes/disruption-budget.yaml",
        "kubernetes/network-policy.yaml",
        "kserve/config-map.yaml",
        "kserve/volume-claim.yaml",
        "kserve/inference-service.yaml",
        "kserve/network-policy.yaml",
    }


def test_json_lists_the_files_of_chosen_targets(base, tmp_path, capsys):
    command = ["deploy", str(base), "--to", str(tmp_path / "d"), "--json"]
    assert main([*command, "--target", "docker"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["version"], found["warning"]) == ("run", None, None)
    assert all(Path(path).is_file() for path in found["files"])
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"README.md", "docker"}


def test_secrets_are_for_whoever_runs_the_proxy(base, tmp_path):
    command = ["deploy", str(base), "--to", str(tmp_path), "--target", "docker"]
    assert main(command) == 0
    compose = yaml.safe_load((tmp_path / "docker/compose.yaml").read_text())
    (user,) = {one["user"].split(":")[0] for one in compose["services"].values()}
    proxy = tmp_path / "docker/proxy"
    secrets = [proxy / nginx.TOKENS, proxy / nginx.PASSWORDS]
    for path in secrets:
        facts = path.stat()
        assert (facts.st_mode & 0o777, str(facts.st_uid)) == (0o600, user)
        path.chmod(0o644)
    texts = [path.read_text() for path in secrets]
    assert main([*command, "--overwrite"]) == 0
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600, 0o600]
    assert [path.read_text() for path in secrets] == texts


def test_full_folder_is_refused_and_secrets_stay(base, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    command = ["deploy", str(base), "--to", str(tmp_path), "--target", "docker"]
    assert main(command) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert main([*command, "--overwrite"]) == 0
    tokens = tmp_path / "docker/proxy/tokens.map"
    tokens.write_text('"~^Bearer abc$" off;\n')
    (tmp_path / "docker/compose.yaml").write_text("old")
    assert main([*command, "--overwrite"]) == 0
    assert tokens.read_text() == '"~^Bearer abc$" off;\n'
    assert (tmp_path / "docker/compose.yaml").read_text() != "old"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_flag_knows_every_target():
    assert deploy.parse_targets(",".join(reversed(TARGETS))) == tuple(TARGETS)


def test_deploying_imports_no_tensorflow(base, tmp_path, fresh_process):
    code = (
        "import sys; from pipelines.cli import main;"
        "code = main(sys.argv[1:]); print('tensorflow' in sys.modules);"
        "sys.exit(code)"
    )
    ended = fresh_process(code, "deploy", str(base), "--to", str(tmp_path / "d"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "False"
