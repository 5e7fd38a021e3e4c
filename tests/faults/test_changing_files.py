"""F12: files that vanish or break while a run reads them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from tests.faults.stages import train

pytestmark = pytest.mark.faults


@pytest.fixture
def photos(tmp_path) -> Path:
    """40 images: two classes, one bright and one dark."""
    random = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "photos" / ("bright", "dark")[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        low = 128 * (i % 2)
        pixels = random.integers(low, low + 128, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "photos"


def of_train(data: str, number: int) -> Path:
    return Path(load(DatasetRef.parse(data)).train.inputs.paths[number])


def turn_into_a_folder(path: Path) -> None:
    """What cannot be read any more, for root too."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("stage", "spoil"), [("measure", turn_into_a_folder), ("finetune", Path.unlink)]
)
def test_file_unreadable_after_check_is_named(photos, tmp_path, capsys, stage, spoil):
    data, workdir = f"dir:{photos}", tmp_path / "run"
    bad = of_train(data, 3)
    # Blocks that train read each image again.
    code = train(data, workdir, stage, lambda: spoil(bad), strategy="full")
    assert code == 3
    said = capsys.readouterr().err
    assert "Files of the train split were good when they were checked" in said
    assert f"{bad}: cannot be read" in said
    assert "1 of 28" in said
    assert "Traceback" not in said
    assert not (workdir / "report.json").exists()
    assert not (workdir / "artifact").exists()


@pytest.mark.slow
def test_on_bad_skip_restarts_without_file_and_counts(photos, tmp_path, caplog):
    data, workdir = f"dir:{photos}?on_bad=skip&bad_limit=0.1", tmp_path / "run"
    bad = of_train(data, 3)

    def cut() -> None:
        bad.write_bytes(bad.read_bytes()[:60])

    assert train(data, workdir, "finetune", cut, strategy="full") == 0
    assert f"{bad}: cut-short PNG" in caplog.text
    assert "The run begins anew without them." in caplog.text
    report = json.loads((workdir / "report.json").read_text())
    counts = report["data"]["counts"]
    examples = {split: sum(of.values()) for split, of in counts.items()}
    assert sum(examples.values()) == 39
    for split in ("validation", "test"):
        assert report[split]["examples"] == examples[split]
    assert sum(report["data"]["skipped"].values()) == 1
    card = json.loads((workdir / "data_card.json").read_text())
    assert [one["name"] for one in card["skipped_files"]] == [
        bad.relative_to(photos).as_posix()
    ]
    lines = (workdir / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 1, 2]


def test_bad_files_over_limit_during_run_are_refused(photos, tmp_path, capsys):
    data = f"dir:{photos}?on_bad=skip&bad_limit=0.01"
    bad = of_train(data, 3)
    spoil = lambda: bad.write_bytes(b"no image")  # noqa: E731 - one action
    assert train(data, tmp_path / "run", "measure", spoil) == 3
    assert "more than on_bad=skip leaves out" in capsys.readouterr().err
