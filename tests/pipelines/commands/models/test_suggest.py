"""`zoo suggest`: suggestions as text and JSON, and labels that come back."""

import json

import pytest

from pipelines import cli
from tests.pipelines.suggestions.test_label_studio import _task


@pytest.fixture
def images(tmp_path):
    import numpy as np
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)).save(folder / f"{i}.png")
    return folder


def test_suggest_prints_and_writes(finished_run, images, tmp_path, capsys):
    arguments = ["suggest", str(finished_run), "--data", f"dir:{images}", "--n", "2"]
    assert cli.main([*arguments, "--json", "--to", str(tmp_path / "next")]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [row["order"] for row in values["suggestions"]] == [1, 2]
    assert len(values["files"]) == 4
    assert cli.main(arguments) == 0
    assert "chosen from 3, beside 120 with labels" in capsys.readouterr().out


def test_labels_become_a_table(finished_run, tmp_path, capsys):
    export, to = tmp_path / "export.json", tmp_path / "labels.csv"
    export.write_text(json.dumps([_task("0.png", "7"), _task("1.png", "wolf")]))
    arguments = ["suggest", str(finished_run), "--labels", str(export)]
    assert cli.main([*arguments, "--to", str(to)]) == 0
    assert to.read_text() == "file,label\n0.png,7\n1.png,wolf\n"
    assert "the run does not have: wolf" in capsys.readouterr().out
    assert cli.main([*arguments, "--to", str(tmp_path)]) == 2
    assert "needs --to FILE.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--data", "dir:a", "--labels", "b.json"],
        ["--data", "dir:a", "--n", "0"],
    ],
)
def test_flags_that_do_not_fit_are_refused(flags, capsys):
    assert cli.main(["suggest", "run", *flags]) == 2
    assert "zoo: " in capsys.readouterr().err
