"""From photos of odd names to record files, and from those to an artifact."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cli import main

ODD_NAMES = (
    "two\nlines.jpg",
    'it\'s "quoted".jpg',
    "\u00fcml\u00e4ut \u732b.jpg",
    "-rf *?[x].jpg",
    os.fsdecode(b"not \xff\xfe UTF-8.jpg"),
)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for i in range(40):
        low = 128 * (i % 2)
        random = np.random.default_rng(i)
        pixels = random.integers(low, low + 128, (12, 12, 3), dtype=np.uint8)
        name = ODD_NAMES[i // 2] if i < 10 else f"{i}.jpg"
        path = folder / ("dark", "bright")[i % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            Image.fromarray(pixels).save(stream, "JPEG")
    return folder


@pytest.mark.slow
def test_photos_become_records_and_those_an_artifact(photos, tmp_path, capsys):
    data, records = f"dir:{photos}", f"tfrecord:{tmp_path / 'records'}"
    assert main(["check", data]) == 0
    to = str(tmp_path / "records")
    assert main(["shard", data, "--to", to, "--shards=2"]) == 0
    assert main(["check", records]) == 0
    run, artifact = tmp_path / "run", str(tmp_path / "run" / "artifact")
    command = [
        f"--config.data={records}",
        "--config.backbone=tiny_image",
        "--config.weights=none",
        "--config.strategy=head_only",
        "--config.head.epochs=1",
        f"--config.workdir={run}",
    ]
    assert main(["train", *command]) == 0
    report = json.loads((run / "report.json").read_text())
    assert report["test"]["examples"] == 6
    # The photos are the data that it was trained on, so their test split is taken.
    capsys.readouterr()
    assert main(["evaluate", artifact, "--data", data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["split"], found["examples"]) == ("test", 6)
    assert found["accuracy"] == report["test"]["accuracy"]

    odd = [str(photos / "dark" / name) for name in ODD_NAMES]
    assert main(["predict", artifact, *odd]) == 0
    said = capsys.readouterr().out
    assert r"two\nlines.jpg" in said
    assert r"not \udcff\udcfe UTF-8.jpg" in said
    assert len(said.splitlines()) == 1 + len(ODD_NAMES)
    assert main(["predict", artifact, *odd, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["predictions"]
    assert [row["file"] for row in rows] == odd
