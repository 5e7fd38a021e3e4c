"""A run leaves its gallery, the same for the same seed, and never fails for it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

import zoo
from pipelines.calibration.calibration import uncalibrated
from pipelines.data.splits import first
from pipelines.planning.plan import HeadPlan
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.gallery.write import write_gallery
from pipelines.stages.head import add_head
from pipelines.stages.outputs import outputs


@pytest.fixture(scope="module")
def model():
    base = zoo.build("tiny_image", weights=None, input_size_px=16)
    plan = HeadPlan(
        reads=(base.blocks[-1].name,),
        grid=1,
        standardized=False,
        pooling="average",
        recurrent_units=1,
        hidden_units=(),
        dropout=0.0,
        init="epsilon",
    )
    return add_head(base, classes=10, plan=plan)


@pytest.fixture(scope="module")
def calibrated(splits, model) -> Calibrated:
    held_out = [first(splits.validation, 20), splits.test]
    validation, test = outputs(model, held_out, batch_size=32)
    return Calibrated(uncalibrated(10, reason=""), validation, test)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_gallery_has_files_of_its_entries(splits, calibrated, model, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_gallery(tmp_path / name, splits, calibrated, model, explain=True)
    written = contents(tmp_path / "one")
    assert contents(tmp_path / "two") == written
    values = json.loads(written.pop("gallery.json"))
    entries = values["examples"]
    pictures = {entry["picture"] for entry in entries}
    heats = {entry["heat"] for entry in entries if "heat" in entry}
    assert set(written) == {f"gallery/{name}" for name in pictures | heats}
    assert 0 < len(entries) <= 200
    assert len(heats) > 10
    roles = {role for entry in entries for role in entry["roles"]}
    assert roles == {"mistake", "pair", "typical", "sample"}
    predicted = calibrated.test.logits.argmax(axis=1)
    for entry in entries:
        if entry["split"] == "test":
            row = entry["row"]
            assert entry["label"] == str(splits.test.labels[row])
            assert entry["predicted"] == str(predicted[row])
            is_wrong = entry["label"] != entry["predicted"]
            assert is_wrong != ("typical" in entry["roles"])
            assert np.isfinite(entry["confidence"])


def test_gallery_in_the_way_is_a_warning(splits, calibrated, model, tmp_path, caplog):
    caplog.set_level(logging.WARNING, logger="zootune")
    (tmp_path / "gallery").write_text("a file of this name")
    write_gallery(tmp_path, splits, calibrated, model, explain=False)
    assert "has no examples" in caplog.text
    assert "FileExistsError" in caplog.text
    assert not (tmp_path / "gallery.json").exists()
