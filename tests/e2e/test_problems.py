"""Each kind of problem from data to an artifact that answers, with the command line."""

import json

import numpy as np
import pytest

import pipelines
from pipelines import cli
from pipelines.serving.prediction import LabelPrediction, NumberPrediction, Prediction
from tests.support.labelled import in_arrays

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
BRIGHT = RNG.random((140, 3))
# Bright or dark in three thirds of an image: labels, their sum, and its grade.
PIXELS = np.repeat(np.repeat(BRIGHT[:, None, :] * 200, 9, axis=1), 3, axis=2)
PIXELS = (PIXELS + RNG.integers(0, 40, PIXELS.shape)).astype(np.uint8)
SUMS = BRIGHT.sum(axis=1)
KINDS = {
    "multi_label": ((BRIGHT > 0.5).astype(np.int64), "mean_average_precision"),
    "regression": (SUMS.astype(np.float32), "mean_absolute_error"),
    "ordinal": (np.digitize(SUMS, [1.2, 1.8]), "quadratic_kappa"),
}
PREDICTIONS = {
    "multi_label": LabelPrediction,
    "regression": NumberPrediction,
    "ordinal": Prediction,
}


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    y, metric = KINDS[request.param]
    path = in_arrays(folder, y).removeprefix("npz:")
    np.savez(path, x=PIXELS, y=y)
    run = pipelines.fine_tune(
        f"npz:{path}",
        backbone="tiny_image",
        weights="none",
        strategy="head_only",
        problem=request.param,
        workdir=folder / "run",
    )
    return request.param, metric, run, f"npz:{path}"


def test_runs_of_every_kind_are_proved_and_reported(trained, capsys):
    problem, metric, run, data = trained
    report = run.report
    assert report["problem"] == problem
    assert report["headline"][0] == metric
    assert report["parity"]["largest_difference"] <= report["parity"]["tolerance"]
    value, (simple,) = report["test"][metric], report["baselines"].values()
    assert value < 0.5 * simple if problem == "regression" else value > simple + 0.2
    assert metric.replace("_", " ") in repr(run)
    page = (run.workdir / "report.html").read_text()
    assert "without a network" in page or "Calibration" in page
    assert cli.main(["evaluate", str(run.artifact_dir), "--data", data, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again[metric] == pytest.approx(value, abs=1e-4)
    assert again["examples"] == report["test"]["examples"]


def test_artifacts_of_every_kind_answer_with_their_kind(trained, tmp_path, capsys):
    problem, _, run, _ = trained
    predictor = pipelines.load(run.artifact_dir)
    assert predictor.artifact.manifest.problem == problem
    dark, bright = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 200, np.uint8)
    answers = predictor.predict([dark, bright])
    assert [type(answer) for answer in answers] == [PREDICTIONS[problem]] * 2
    (bad,) = predictor.predict([b"not an image"])
    assert (bad.valid, bad.accepted) == (False, False)
    assert bad.reason
    (tmp_path / "bad.png").write_bytes(b"not an image")
    command = ["predict", str(run.artifact_dir), str(tmp_path / "bad.png")]
    assert cli.main(command) == 0
    assert "not a readable image" in capsys.readouterr().out


def test_tables_and_formats_of_other_kinds_are_refused(trained, tmp_path, capsys):
    problem, _, run, _ = trained
    export = ["export", str(run.workdir), "--to", str(tmp_path), "--format", "litert"]
    assert cli.main(export) == 2
    assert f"config.problem='{problem}'" in capsys.readouterr().err
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"not an image")
    command = ["predict", str(run.artifact_dir), str(tmp_path / "photos"), "--to"]
    assert cli.main([*command, str(tmp_path / "out.jsonl")]) == 0
    code = cli.main([*command, str(tmp_path / "out.csv")])
    assert code == (0 if problem == "ordinal" else 2)
