"""`zoo drift`: what it refuses, by exit code."""

from pipelines import cli


def test_artifact_without_statistics_is_code_four(finished_run, tmp_path, capsys):
    assert cli.main(["drift", str(finished_run), "--data", f"dir:{tmp_path}"]) == 4
    assert "config.export.drift=True" in capsys.readouterr().err


def test_data_are_required(capsys):
    assert cli.main(["drift", "run"]) == 2
    assert "--data" in capsys.readouterr().err
