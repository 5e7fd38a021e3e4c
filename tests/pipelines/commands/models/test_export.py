import json

from pipelines.cli import main


def test_export_without_formats_copies_the_artifact(finished_run, tmp_path, capsys):
    command = ["export", str(finished_run), "--to", str(tmp_path / "base")]
    assert main([*command, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    path = str(tmp_path / "base" / "1")
    assert values == {"version": 1, "path": path, "formats": []}
    assert main(command) == 0
    assert capsys.readouterr().out == f"published: {tmp_path / 'base' / '2'}\n"


def test_export_unknown_format_is_wrong_usage(finished_run, tmp_path, capsys):
    flags = ["--to", str(tmp_path), "--format", "onxx"]
    assert main(["export", str(finished_run), *flags]) == 2
    assert "onxx" in capsys.readouterr().err
