import json

from pipelines.cli import main

FLAGS = ["--steps", "2", "--batch-size", "8", "--size-px", "8", "--count", "1"]


def test_command_draws_and_says_where(tmp_path, capsys):
    to = tmp_path / "drawn"
    data = ["--data", "builtin:digits?limit=100", "--to", str(to)]
    assert main(["generate", *data, *FLAGS, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["folder"] == str(to)
    assert len(list((to / "images").rglob("*.png"))) == 10


def test_faults_have_their_codes(tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    for data, to, code, fault in (
        (f"dir:{empty}", "g", 3, "empty"),
        ("builtin:digits", ".", 2, "is not empty"),
    ):
        flags = ["--data", data, "--to", str(tmp_path / to), *FLAGS]
        assert main(["generate", *flags]) == code
        assert fault in capsys.readouterr().err
