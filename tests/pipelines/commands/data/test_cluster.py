import json

from pipelines.cli import main

FLAGS = ["--backbone", "tiny_image", "--weights", "none"]


def test_command_writes_what_it_found(tmp_path, capsys):
    to = tmp_path / "found"
    flags = [*FLAGS, "--k", "4", "--to", str(to), "--json"]
    assert main(["cluster", "builtin:digits?limit=60", *flags]) == 0
    values = json.loads(capsys.readouterr().out)
    assert sum(values["sizes"]) == values["examples"] == 60
    assert values["files"] == [
        str(to / f"clusters.{ending}") for ending in ("csv", "html", "json")
    ]


def test_faults_have_their_codes(tmp_path, capsys):
    assert main(["cluster", "builtin:digits?limit=60", *FLAGS, "--k", "1"]) == 2
    assert "k is 1" in capsys.readouterr().err
    assert main(["cluster", f"dir:{tmp_path}", *FLAGS]) == 3
