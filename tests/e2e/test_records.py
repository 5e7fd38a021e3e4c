"""From photos to record files, and from those to an artifact."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.cli import main


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for i in range(40):
        low = 128 * (i % 2)
        random = np.random.default_rng(i)
        pixels = random.integers(low, low + 128, (12, 12, 3), dtype=np.uint8)
        path = folder / ("dark", "bright")[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.mark.slow
def test_records_are_checked_trained_on_and_evaluated(photos, tmp_path, capsys):
    records = f"tfrecord:{tmp_path / 'records'}"
    to = str(tmp_path / "records")
    assert main(["shard", f"dir:{photos}", "--to", to, "--shards=2"]) == 0
    assert main(["check", records]) == 0
    run = tmp_path / "run"
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
    capsys.readouterr()
    # The photos are the data that it was trained on, so their test split is taken.
    photos_too = [
        "evaluate",
        str(run / "artifact"),
        "--data",
        f"dir:{photos}",
        "--json",
    ]
    assert main(photos_too) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["split"], found["examples"]) == ("test", 6)
    assert found["accuracy"] == report["test"]["accuracy"]
