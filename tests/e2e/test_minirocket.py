"""Series by default settings: MiniRocket, from an npz file to a published backbone."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

import pipelines
import zoo
from pipelines.cli import main
from pipelines.errors import ArtifactError
from zoo import published
from zoo.errors import BackboneError

STEPS, CHANNELS = 40, 2
CLASSES = ["fast", "slow"]


def _waves(count, seed=0):
    """Sines of two frequencies with noise, in every channel another phase."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    phase = rng.uniform(0, 6, (count, 1, CHANNELS))
    rate = np.where(labels, 0.4, 0.9)[:, None, None]
    waves = np.sin(rate * np.arange(STEPS)[:, None] + phase)
    noisy = waves + rng.normal(0, 0.2, waves.shape)
    return noisy.astype("float32"), np.array(CLASSES)[labels]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("waves")
    series, labels = _waves(160)
    np.savez(folder / "waves.npz", x=series, y=labels)
    return pipelines.fine_tune(f"npz:{folder}/waves.npz", workdir=folder / "run")


def test_defaults_suffice_and_nothing_is_trained(run):
    report = run.report
    assert report["test"]["accuracy"] == 1.0
    assert report["backbone"]["name"] == "series_minirocket"
    assert report["backbone"]["weights"] == "fitted"
    assert report["phases"] == []
    assert report["receipt"] == {}
    assert report["validation"]["examples"] == 24
    assert report["calibration"]["test"]["after"]["calibration_error"] < 0.1
    assert report["parity"]["largest_difference"] <= 1e-5


def test_artifact_reads_gaps_and_short_series(run):
    predictor = pipelines.load(run.artifact_dir)
    (fast, slow), _ = _waves(2, seed=9)
    gaps, short, infinite = fast.copy(), slow.copy(), slow.copy()
    gaps[3:5, 0] = gaps[0] = np.nan
    short[-8:] = np.nan
    infinite[7, 1] = np.inf
    answers = predictor.predict([fast, gaps, short, infinite, 0 * fast, fast * np.nan])
    assert [a.label for a in answers[:4]] == ["fast", "fast", "slow", ""]
    assert [a.valid for a in answers] == [True, True, True, False, True, False]
    assert all(np.isfinite(a.confidence) for a in answers)


def test_artifact_refuses_other_channels_and_lengths(run):
    predictor = pipelines.load(run.artifact_dir)
    for shape in ((STEPS, 3), (STEPS + 1, CHANNELS), (1, CHANNELS)):
        with pytest.raises(ArtifactError, match=r"takes series of shape \(40, 2\)"):
            predictor.predict([np.zeros(shape, "float32")])


def test_interrupted_run_ends_with_the_same_bits(run, tmp_path):
    """What is left of a run that was killed before its export."""
    again = shutil.copytree(run.workdir, tmp_path / "run")
    shutil.rmtree(again / "artifact")
    (again / "report.json").unlink()
    reference = run.report["data"]["reference"]
    resumed = pipelines.fine_tune(reference, workdir=again)
    first, second = (r.model.get_weights() for r in (run, resumed))
    for old, new in zip(first, second, strict=True):
        np.testing.assert_array_equal(old, new)
    assert resumed.report["backbone"]["sha256"] == run.report["backbone"]["sha256"]


def test_published_row_keeps_its_thresholds(run, tmp_path, capsys):
    spec = pipelines.publish(run.workdir, name="my_waves")
    assert (spec.pretrained, spec.input.minimum_length_steps) == (True, STEPS)
    series, labels = _waves(40, seed=5)
    features = np.asarray(zoo.build("my_waves", channels=CHANNELS).model(series))
    loaded = tf.saved_model.load(str(published.module_folder("my_waves")))
    np.testing.assert_array_equal(loaded(tf.constant(series)), features)
    with pytest.raises(BackboneError, match="fitted to series with 2 channels"):
        zoo.build("my_waves", channels=3)
    with pytest.raises(BackboneError, match="at least 40 steps"):
        zoo.build("my_waves", channels=CHANNELS, input_length=STEPS - 1)
    np.savez(tmp_path / "more.npz", x=series, y=labels)
    command = ["rank", "--data", f"npz:{tmp_path}/more.npz", "--json"]
    assert main(command) == 0
    ranked = json.loads(capsys.readouterr().out)["backbones"]
    assert {row["backbone"] for row in ranked} == {"my_waves", "series_minirocket"}
    assert min(row["probe"]["accuracy"] for row in ranked) > 0.9
