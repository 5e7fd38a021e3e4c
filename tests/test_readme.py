"""What the README says is true: its code runs, its commands and tables are current."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.readers.builtin import read

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with the photos that the README speaks of."""
    path = tmp_path_factory.mktemp("readme")
    digits = read("mnist_5k")
    for label, name in enumerate(("daisy", "rose")):
        (path / "photos" / name).mkdir(parents=True)
        for i, row in enumerate(np.flatnonzero(digits.labels == label)[:24], start=1):
            image = Image.fromarray(digits.inputs.pixels[row])
            image.save(path / "photos" / name / f"{i}.jpg")
    return path


def _run(command: list[str], folder: Path) -> str:
    # The console command `zoo` lies beside the interpreter that runs the tests.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.weights
def test_commands_run_as_they_stand(folder):
    blocks = _blocks("sh")
    outputs = [_run(["bash", "-euc", block], folder) for block in blocks]
    trained, evaluated, planned, ranked, checked, published = outputs
    assert "test accuracy" in trained
    assert re.search(r"photos/daisy/1.jpg +(daisy|rose) +[01]\.", trained)
    assert "precision" in evaluated
    assert "The classic rule for few data" in planned
    assert len(re.findall(r"^efficientnet_lite\d", ranked, re.MULTILINE)) == 3
    assert "48 copied; runs/repaired/fixed.json lists them" in checked
    assert (folder / "runs/photos.html").read_text().count("<img") > 0
    assert "my_photos.weights.h5" in published
    assert published.count("test accuracy") == 1


@pytest.mark.slow
@pytest.mark.weights
def test_python_blocks_run_as_they_stand(folder):
    blocks = _blocks("python")
    assert len(blocks) == 3
    outputs = [_run([sys.executable, "-c", block], folder) for block in blocks]
    assert outputs[0].splitlines()[-1] in ("daisy", "rose")
    assert "(None, 5, 5, 1280) ['stem'" in outputs[1]
    assert outputs[2] == "(None, 30, 30, 32)\n"


def test_make_targets_exist():
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert targets == {"quickstart", "test"}
    defined = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert targets <= defined


def test_files_and_folders_that_the_readme_names_exist():
    layout = re.search(r"^    zoo/ .*?\n\n", README, re.MULTILINE | re.DOTALL)
    names = re.findall(r"([a-z_]+(?:/[a-z]+)*)/ ", layout.group())
    assert len(names) >= 12
    for name in names:
        found = [ROOT / parent / name for parent in ("", "zoo", "pipelines")]
        assert any(path.is_dir() for path in found), name
