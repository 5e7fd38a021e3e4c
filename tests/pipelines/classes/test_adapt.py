"""A finished run is adapted to a target without the images of its source."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pipelines
from pipelines.classes.adapt import adapt_run
from pipelines.classes.update import remove_class
from pipelines.errors import ConfigError, DataError
from tests.support.two_domains import darkened


@pytest.fixture(scope="module")
def target(digits, tmp_path_factory):
    """The images of all splits, darker, in one folder without classes."""
    folder = tmp_path_factory.mktemp("dark")
    for i, path in enumerate(sorted((digits / "old").rglob("*.png"))):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        Image.fromarray(darkened(pixels)).save(folder / f"{i}.png")
    return f"dir:{folder}"


@pytest.fixture(scope="module")
def adapted(trained, target, tmp_path_factory):
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("adapted") / "run")
    return folder, adapt_run(folder, target=target, method="standardise")


def test_adapt_publishes_the_next_version(adapted):
    folder, done = adapted
    assert done.change.artifact_dir == folder / "artifact" / "2"
    report = json.loads((folder / "report.json").read_text())
    assert report["artifact"] == str(done.change.artifact_dir)
    assert report["changes"][-1]["action"] == "adapt"
    record = report["adaptation"]
    assert record["after"]["distance"] < record["before"]["distance"]
    assert report["parity"]["largest_difference"] < 1e-3


def test_adapted_version_answers_the_target(adapted, target, digits):
    folder, _ = adapted
    paths = sorted((digits / "old").rglob("*.png"))
    images = [
        (Path(target.removeprefix("dir:")) / f"{i}.png").read_bytes()
        for i in range(len(paths))
    ]
    before, after = (
        pipelines.load(folder / "artifact" / version).predict(images)
        for version in ("1", "2")
    )
    right = [
        np.mean([a.label == path.parent.name for a, path in zip(rows, paths)])
        for rows in (before, after)
    ]
    assert right[1] > right[0]


def test_classes_of_adapted_run_do_not_change(adapted):
    with pytest.raises(ConfigError, match="is adapted to"):
        remove_class(adapted[0], name="zero")


def test_auto_measures_and_publishes_nothing(run_folder, target):
    done = pipelines.adapt(run_folder, target=target)
    assert done.change is None
    assert done.record.method == "none"
    assert "proxy A-distance" in done.words
    assert not (run_folder / "artifact" / "2").exists()


def test_method_that_trains_is_refused(run_folder, target):
    with pytest.raises(ConfigError, match="trains on the source"):
        adapt_run(run_folder, target=target, method="dann")


def test_target_that_is_the_source_is_refused(run_folder, digits):
    with pytest.raises(DataError, match="nothing to adapt"):
        adapt_run(run_folder, target=f"dir:{digits / 'old'}", method="shot")
