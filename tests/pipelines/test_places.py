"""Where nothing can be written, a command says so with a sentence and its code."""

from pathlib import Path

import pytest
from PIL import Image

from pipelines.cli import main
from pipelines.serving import publication
from tests.pipelines.conftest import TINY_DATA

# It says that it takes files from root, and takes none.
NOWHERE = Path("/proc/zootune/out")

COMMANDS = {
    "train": (2, "config.workdir /proc/zootune/out cannot be written"),
    "predict": (2, "/proc/zootune/out/x.jsonl cannot be written"),
    "shard": (3, "/proc/zootune cannot be written"),
    "deploy": (2, "/proc/zootune/out cannot be written"),
    "check": (2, "cannot be written"),
}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a /proc")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_place_that_takes_nothing_is_named(name, finished_run, tmp_path, capsys):
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(3):
            image = Image.new("RGB", (9, 9), (80 * i, 0, 200 * (label == "a")))
            image.save(tmp_path / label / f"{i}.png")
    made = str(finished_run / "artifact")
    arguments = {
        "train": [f"--config.data={TINY_DATA}", f"--config.workdir={NOWHERE}"],
        "predict": [made, str(tmp_path / "a"), "--to", str(NOWHERE / "x.jsonl")],
        "shard": [TINY_DATA, "--to", str(NOWHERE)],
        "deploy": [made, "--to", str(NOWHERE)],
        "check": [f"dir:{tmp_path}", "--report", str(NOWHERE / "page.html")],
    }[name]
    code, sentence = COMMANDS[name]
    capsys.readouterr()
    assert main([name, *arguments]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Error" not in said


def test_disk_too_small_is_noticed_before_training(
    tmp_path, tiny_flags, monkeypatch, capsys
):
    """A disk of that size would need rights that not everybody has."""
    monkeypatch.setattr(publication, "_OVERHEAD_BYTES", 2**60)
    assert main(["train", *tiny_flags]) == 4
    said = capsys.readouterr()
    assert "There is no space to export to" in said.err
    assert "] head: " not in said.out
    assert not (tmp_path / "run" / "config.json").exists()


def test_image_too_large_is_refused_with_the_option(tmp_path, capsys):
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(4):
            size = 40 if (label, i) == ("a", 0) else 9
            Image.new("RGB", (size, size), (9 * i, 80, 99 * (label == "a"))).save(
                tmp_path / label / f"{i}.png"
            )
    reference = f"dir:{tmp_path}?maximum_megapixels=0.001"
    tiny = ["--backbone=tiny_image", "--weights=none"]
    assert main(["plan", f"--data={reference}", *tiny]) == 3
    said = capsys.readouterr().err
    assert "more than 0.001 million pixels" in said
    assert "maximum_megapixels=N in the reference" in said
