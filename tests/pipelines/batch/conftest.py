"""A folder of photos, and outputs for it that tests only read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.readers.builtin import read
from tests.support.batch_runs import predict

ODD_NAMES = ("two\nlines.png", '"quoted", =1+1.png', os.fsdecode(b"not \xff UTF-8.png"))


@pytest.fixture(scope="package")
def artifact(finished_run: Path) -> Path:
    return finished_run / "artifact"


@pytest.fixture(scope="package")
def photos(tmp_path_factory) -> Path:
    """Digits as files, at two depths, among other things."""
    folder = tmp_path_factory.mktemp("photos")
    pixels = read("digits").inputs.pixels[:40].astype(np.uint8)
    names = [*ODD_NAMES, *(f"deep/er/{i}.png" for i in range(37))]
    for name, image in zip(names, pixels, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            Image.fromarray(image).save(stream, "PNG")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    (folder / "empty.png").touch()
    (folder / "nowhere.png").symlink_to("gone")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "folder.png" / "x.gif").write_bytes(b"GIF89a")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="package")
def written(artifact, photos, tmp_path_factory) -> Path:
    """Predictions for the photos, for reading only."""
    out = tmp_path_factory.mktemp("written") / "new" / "out.jsonl"
    assert predict(artifact, photos, out) == 0
    return out


@pytest.fixture(scope="package")
def features(artifact, photos, tmp_path_factory):
    """Features of the photos, for reading only."""
    out = tmp_path_factory.mktemp("features") / "out.jsonl"
    assert predict(artifact, photos, out, "--features") == 0
    return out
