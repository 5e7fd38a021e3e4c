"""Each kind of problem from data to an artifact that answers, with the command line."""

import base64
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pipelines
from pipelines import cli
from pipelines.config import ExportConfig
from pipelines.serving.client import GrpcClient, RestClient
from pipelines.serving.prediction import LabelPrediction, NumberPrediction, Prediction
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.settings import Settings
from tests.support.labelled import in_arrays
from tests.support.servers import serving_here
from zoo import published

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
NUMBERS = {
    "multi_label": "probabilities",
    "regression": "values",
    "ordinal": "probabilities",
}


def encoded(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


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
        export=ExportConfig(explain=True),
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
    to = run.workdir / "kept.jsonl"
    command = ["evaluate", str(run.artifact_dir), "--data", data, f"--to={to}"]
    assert cli.main(command) == 0
    rows = [json.loads(line) for line in to.read_text().splitlines()]
    kept = (run.workdir / "predictions.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in kept if '"split": "test"' in line]
    assert len(rows) == len(kept) == report["test"]["examples"]
    assert [row["example"] for row in rows] == [row["example"] for row in kept]
    assert [row["predicted"] for row in rows] == [
        row["predicted"]
        if problem != "regression"
        else pytest.approx(row["predicted"], abs=1e-3)
        for row in kept
    ]
    worst = {"multi_label": "Wrong and surest", "regression": "Largest errors"}
    assert worst.get(problem, "") in page
    gallery = json.loads((run.workdir / "gallery.json").read_text())["examples"]
    tested = [row for row in gallery if row["split"] == "test"]
    assert {"mistake", "typical"} >= {row["roles"][-1] for row in tested} - {"pair"}
    for row in tested:
        assert (run.workdir / "gallery" / row["picture"]).is_file()
        assert kept[row["row"]]["example"] == row["name"]
    assert page.count('<figure class="tile"') >= len(tested) > 0


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
    explain = predictor.saved_model.signatures["explain"]
    heat = explain(tf.constant([encoded(bright), b"not an image"]))["heat_map"].numpy()
    names = predictor.artifact.manifest.class_names
    assert heat.shape[1:-2] == (() if problem == "ordinal" else (len(names),))
    assert 0 <= heat.min() <= heat.max() <= 1
    assert not heat[1].any()
    (tmp_path / "bad.png").write_bytes(b"not an image")
    command = ["predict", str(run.artifact_dir), str(tmp_path / "bad.png")]
    assert cli.main(command) == 0
    assert "not a readable image" in capsys.readouterr().out


def test_tables_and_formats_have_every_kind(trained, tmp_path, capsys):
    problem, _, run, _ = trained
    export = ["export", str(run.workdir), "--to", str(tmp_path / "base"), "--json"]
    assert cli.main([*export, "--format", "litert-float32"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["formats"]
    metric = {"multi_label": "mean_average_precision", "regression": "r2"}.get(
        problem, "accuracy"
    )
    assert record["metric"] == metric
    assert record[metric] == pytest.approx(record[f"saved_model_{metric}"], abs=1e-3)
    assert record["agreement"] == 1.0
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"not an image")
    command = ["predict", str(run.artifact_dir), str(tmp_path / "photos"), "--to"]
    assert cli.main([*command, str(tmp_path / "out.jsonl")]) == 0
    assert cli.main([*command, str(tmp_path / "out.csv")]) == 0
    header = (tmp_path / "out.csv").read_text().splitlines()[0]
    names = pipelines.load(run.artifact_dir).artifact.manifest.class_names
    assert all(f":{name}" in header for name in names)


def test_servers_and_clients_answer_every_kind(trained):
    problem, _, run, _ = trained
    content = encoded(np.zeros((9, 9, 3), np.uint8))
    settings = Settings(rest_port=0, grpc_port=0)
    (expected,) = pipelines.load(run.artifact_dir).predict([content])
    with serving_here([ModelConfig("m", run.artifact_dir.parent)], settings) as served:
        url, address = f"http://127.0.0.1:{served.rest_port}", served.grpc_address
        grpc_client = GrpcClient(address, model="m")
        for client in (RestClient(url, model="m"), grpc_client):
            answer, broken = client.predict([content, b"not an image"])
            assert type(answer) is PREDICTIONS[problem]
            assert answer.in_words()[0] == expected.in_words()[0]
            numbers = getattr(answer, NUMBERS[problem])
            assert numbers == pytest.approx(
                getattr(expected, NUMBERS[problem]), abs=1e-4
            )
            assert not broken.valid
        grpc_client.close()
        example = {"image_bytes": {"b64": base64.b64encode(content).decode()}}
        method = "regress" if problem == "regression" else "classify"
        request = {"signature_name": method, "examples": [example]}
        asked = served.post(f"/v1/models/m:{method}", request)
        (result,) = asked.json["results"]
        answered = {"target": result} if method == "regress" else dict(result)
        assert answered == pytest.approx(getattr(expected, NUMBERS[problem]), abs=1e-4)
        other = "classify" if method == "regress" else "regress"
        refused = served.post(f"/v1/models/m:{other}", request)
        assert (refused.status, "signature" in refused.error) == (400, True)


def test_backbones_of_every_kind_are_published(trained, capsys):
    problem, metric, run, _ = trained
    name = f"after_{problem}"
    assert cli.main(["publish", str(run.workdir), "--name", name]) == 0
    assert name in capsys.readouterr().out
    (origin,) = published.module_folder(name).parent.glob("*.json")
    assert metric in origin.read_text()
