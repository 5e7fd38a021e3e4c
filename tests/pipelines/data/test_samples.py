"""Samples are real test images, one of every class, that decode to the same pixels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.samples import main, write_samples


def test_arrays_become_png_files_that_lose_nothing(tmp_path: Path) -> None:
    splits = load(DatasetRef.parse("builtin:digits?limit=200"))
    paths = write_samples(splits, tmp_path / "samples")
    assert [path.name for path in paths] == [f"{digit}.png" for digit in range(10)]
    for label, path in enumerate(paths):
        row = np.flatnonzero(splits.test.labels == label)[0]
        wanted = splits.test.inputs.pixels[row]
        np.testing.assert_array_equal(np.asarray(Image.open(path)), wanted)


def test_files_are_copied_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(4):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.jpg")
    splits = load(DatasetRef.parse(f"dir:{tmp_path / 'photos'}"))
    paths = write_samples(splits, tmp_path / "samples")
    assert [path.name for path in paths] == ["cat.jpg", "dog.jpg"]
    originals = {path.read_bytes() for path in (tmp_path / "photos").rglob("*.jpg")}
    assert all(path.read_bytes() in originals for path in paths)


def test_command_names_files_and_needs_two_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "pipelines.data.samples"]
    # As a user has it: who sets a level sees what TensorFlow says at that level.
    quiet = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [*command, "builtin:digits?limit=200", str(tmp_path)],
        env=quiet,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ended.stdout.splitlines()) == 10
    assert "WARNING" not in ended.stderr
    assert main([]) == 2
    assert "Command:" in capsys.readouterr().err


def test_names_equal_on_disk_get_own_files(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (36, 4, 4), dtype=np.uint8)
    names = ["Cat", "cat", "big/cat"]
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(36) % 3, class_names=names)
    splits = load(DatasetRef("npz", str(tmp_path / "x.npz")))
    paths = write_samples(splits, tmp_path / "samples")
    assert [path.name for path in paths] == ["Cat.png", "cat-1.png", "cat-2.png"]
