"""A run whose artifact averages two views: proved, recorded, and of images alone."""

import json

import numpy as np
import pytest

import pipelines
from pipelines.classes.finished import open_finished
from pipelines.errors import ConfigError
from pipelines.run import run
from tests.support.labelled import in_table
from tests.support.small_runs import config_for


@pytest.fixture(scope="module")
def viewed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views") / "run"
    return run(config_for(folder, test_views="flip"))


def test_the_artifact_answers_mirror_images_alike(viewed):
    assert viewed.report["parity"]["largest_difference"] < 1e-4
    predictor = pipelines.load(viewed.artifact_dir)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    pairs = zip(
        predictor.predict(list(images)),
        predictor.predict(list(images[:, :, ::-1])),
        strict=True,
    )
    for answer, mirrored in pairs:
        assert answer.label == mirrored.label
        assert answer.confidence == pytest.approx(mirrored.confidence, abs=1e-4)


def test_the_report_has_gain_and_cost(viewed):
    recorded = json.loads((viewed.workdir / "report.json").read_text())["test_views"]
    assert recorded["views"] == "flip"
    assert recorded["gain"] is not None
    assert recorded["multiply_adds"] > 0
    assert not (viewed.workdir / "checkpoints" / "features.npz").exists()


def test_a_class_cannot_be_added_to_it(viewed):
    with pytest.raises(ConfigError, match="averages several views of each image"):
        open_finished(viewed.workdir)


def test_texts_have_no_views(tmp_path):
    data = in_table(tmp_path, ["a", "b"] * 10)
    fields = {"backbone": "tiny_text", "input_size_px": 0, "test_views": "auto"}
    with pytest.raises(ConfigError, match="only images have mirrored views"):
        run(config_for(tmp_path / "run", data=data, **fields))
    assert not (tmp_path / "run" / "config.json").exists()
