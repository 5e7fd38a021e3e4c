import json

import pytest

from pipelines.cli import main
from pipelines.commands.models import deploy
from pipelines.errors import ConfigError


def test_deploy_as_json_names_written_files(finished_run, tmp_path, capsys):
    artifact = str(finished_run / "artifact")
    command = ["deploy", artifact, "--to", str(tmp_path / "out"), "--target=docker"]
    assert main([*command, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert set(values) == {"name", "version", "files", "warning"}
    files = sorted(
        str(path) for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert sorted(values["files"]) == files
    assert main([*command, "--overwrite"]) == 0
    assert "what to do with them:" in capsys.readouterr().out


def test_parse_targets_unknown_one_names_the_nearest():
    assert deploy.parse_targets("kserve, docker") == ("docker", "kserve")
    with pytest.raises(ConfigError, match="'dokcer' is unknown.*Did you mean docker"):
        deploy.parse_targets("dokcer")
