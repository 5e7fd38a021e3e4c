import json

import pytest
from PIL import Image

from pipelines.cli import main


@pytest.fixture
def photos(tmp_path):
    for label, grey in (("dark", 20), ("bright", 220)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(6):
            image = Image.new("RGB", (16, 16), (grey + i, grey, grey))
            image.save(tmp_path / "photos" / label / f"{i}.png")
    return tmp_path / "photos"


def test_check_prints_bad_file_before_exit_code_3(photos, capsys):
    (photos / "dark" / "x.png").write_bytes(b"not an image")
    assert main(["check", f"dir:{photos}"]) == 3
    printed = capsys.readouterr()
    assert "x.png" in printed.out
    assert "cannot be trained on as it is" in printed.err
    assert main(["check", f"dir:{photos}", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["examples"] == 13


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--backbone", "tiny_image"], "--backbone says what --labels compares"),
        (["--fix", "copy"], "--fix copies folders, and builtin:digits is not a 'dir:'"),
    ],
)
def test_check_flags_that_do_not_fit_are_refused(capsys, flags, message):
    assert main(["check", "builtin:digits", *flags]) == 2
    assert message in capsys.readouterr().err
