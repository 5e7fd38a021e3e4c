"""Normal images and series from data to an artifact that finds anomalies."""

import base64
import io
import json
import shutil

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import pipelines
from pipelines import cli
from pipelines.config import AnomalyConfig
from pipelines.errors import ArtifactError, DataError
from pipelines.runs import job
from pipelines.serving.client import GrpcClient, RestClient
from pipelines.serving.prediction import AnomalyPrediction
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.settings import Settings
from tests.support.servers import serving_here

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
METHODS = {"image": "sum", "series": "windows", "autoencoder": "autoencoder"}
KINDS = np.array(["normal"] * 140 + ["crack"] * 30)


def images():
    """Two halves of grey, and noise across some of them."""
    pixels = RNG.integers(90, 130, (170, 16, 16, 3)).astype(np.uint8)
    pixels[:, :, :8] += 60
    pixels[140:, 4:9, 4:14] = RNG.integers(0, 256, (30, 5, 10, 3))
    return pixels


def waves():
    """A period of a sine, and some that stop for a while."""
    place = np.linspace(0, 2 * np.pi, 60) + RNG.normal(0, 0.2, (170, 1))
    values = np.sin(place) + RNG.normal(0, 0.05, place.shape)
    values[140:, 15:35] = values[140:, 15:16]
    return values[..., None].astype(np.float32)


@pytest.fixture(scope="module", params=["image", "series", "autoencoder"])
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    x = images() if request.param == "image" else waves()
    np.savez(folder / "data.npz", x=x, y=KINDS)
    backbone = {"backbone": "tiny_image", "weights": "none"}
    run = pipelines.fine_tune(
        f"npz:{folder}/data.npz",
        problem="anomaly",
        workdir=folder / "run",
        anomaly=AnomalyConfig(METHODS[request.param], alpha=0.1),
        **(backbone if request.param == "image" else {}),
    )
    return "image" if request.param == "image" else "series", run, x


def as_sent(modality, example):
    if modality == "series":
        return example
    stream = io.BytesIO()
    Image.fromarray(example).save(stream, "png")
    return stream.getvalue()


def test_runs_are_proved_reported_and_find_anomalies(trained):
    modality, run, _ = trained
    report, plan = run.report, json.loads((run.workdir / "plan.json").read_text())
    assert report["parity"]["largest_difference"] <= report["parity"]["tolerance"]
    assert report["test"]["auroc"] > 0.95
    assert report["headline"] == ["auroc", "false_alarm_rate", "hit_rate"]
    method = plan["head"]["detector"]
    assert method.partition(":")[0] in METHODS.values()
    assert (method == "sum") == (modality == "image")
    assert (plan["phases"], plan["evidence"], report["phases"]) == ([], None, [])
    assert report["data"]["counts"]["train"] == {"normal": 98, "anomaly": 0}
    rates = report["calibration"]["test"]
    assert rates["promised"] == 0.1
    assert rates["false_alarm_rate"] < 0.1 + 4 * rates["standard_error"]
    page = (run.workdir / "report.html").read_text()
    assert "False alarms, on test" in page
    assert "auroc" in (run.workdir / "model_card.md").read_text()


def test_evaluating_again_gives_the_same_numbers(trained, tmp_path, capsys):
    _, run, _ = trained
    data, to = run.report["data"]["reference"], tmp_path / "kept.jsonl"
    command = ["evaluate", str(run.artifact_dir), "--data", data, f"--to={to}"]
    assert cli.main([*command, "--json"]) == 0
    again, before = json.loads(capsys.readouterr().out), run.report["test"]
    for name in run.report["headline"]:
        assert again[name] == pytest.approx(before[name], abs=1e-6)
    rows = [json.loads(line) for line in to.read_text().splitlines()]
    kept = (run.workdir / "predictions.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in kept if '"split": "test"' in line]
    assert [row["anomalous"] for row in rows] == [row["anomalous"] for row in kept]
    assert {row["label"] for row in rows} == {"normal", "anomaly"}
    assert cli.main(["evaluate", str(run.artifact_dir), "--data", data]) == 0
    assert "false alarm rate" in capsys.readouterr().out


def test_predictions_say_how_strange_examples_are(trained, tmp_path, capsys):
    modality, run, x = trained
    predictor = pipelines.load(run.artifact_dir)
    usual, strange = predictor.predict([x[0], x[-1]])
    assert type(usual) is AnomalyPrediction
    assert (usual.anomalous, strange.anomalous) == (False, True)
    assert strange.anomaly_score > 1 > usual.anomaly_score
    assert strange.p_value <= 0.1 < usual.p_value
    if modality == "series":
        assert strange.anomaly_map is None
        # It stops at 15 and goes on at 35.
        steps = np.array(strange.anomaly_by_step)
        assert steps.shape == (60,)
        assert 10 <= steps.argmax() <= 40
    if modality == "image":
        # The noise lies right of the left edge, and above the middle.
        cells = np.array(strange.anomaly_map)
        assert cells.max() > 1 > np.array(usual.anomaly_map).max()
        assert cells[: len(cells) // 2].max() == cells.max()
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "a.png").write_bytes(as_sent(modality, x[-1]))
        (tmp_path / "photos" / "bad.png").write_bytes(b"not an image")
        command = ["predict", str(run.artifact_dir)]
        files = sorted(map(str, (tmp_path / "photos").iterdir()))
        assert cli.main([*command, *files]) == 0
        printed = capsys.readouterr().out
        assert "p_value" in printed
        assert "anomaly" in printed
        assert "not a readable image" in printed
        to = tmp_path / "out.csv"
        assert cli.main([*command, str(tmp_path / "photos"), f"--to={to}"]) == 0
        assert "anomaly_score,p_value,anomalous,valid" in to.read_text()


def test_servers_and_clients_answer_with_scores(trained):
    modality, run, x = trained
    sent = [as_sent(modality, example) for example in (x[0], x[-1])]
    expected = pipelines.load(run.artifact_dir).predict(sent)
    settings = Settings(rest_port=0, grpc_port=0)
    with serving_here([ModelConfig("m", run.artifact_dir.parent)], settings) as served:
        url = f"http://127.0.0.1:{served.rest_port}"
        grpc_client = GrpcClient(served.grpc_address, model="m")
        for client in (RestClient(url, model="m"), grpc_client):
            for answer, known in zip(client.predict(sent), expected, strict=True):
                assert answer.anomalous == known.anomalous
                assert answer.p_value == pytest.approx(known.p_value)
                place = "anomaly_map" if modality == "image" else "anomaly_by_step"
                places = np.float64(getattr(known, place))
                np.testing.assert_allclose(getattr(answer, place), places, rtol=1e-3)
                assert answer.anomaly_score == pytest.approx(
                    known.anomaly_score, rel=1e-4
                )
        grpc_client.close()
        if modality == "image":
            example = {"image_bytes": {"b64": base64.b64encode(sent[1]).decode()}}
            request = {"signature_name": "regress", "examples": [example]}
            (result,) = served.post("/v1/models/m:regress", request).json["results"]
            assert result == pytest.approx(expected[1].anomaly_score, rel=1e-4)


@pytest.mark.parametrize("trained", ["series"], indirect=True)
def test_long_series_are_answered_in_windows(trained):
    _, run, x = trained
    predictor = pipelines.load(run.artifact_dir)
    # The fourth period stops for a while.
    long = np.concatenate([*x[:3], x[-1], *x[4:6]])
    found = predictor.stream(long)
    starts = found["window_start"]
    assert [*starts[:3], starts[-1]] == [0, 15, 30, 300]
    alone = predictor.predict([long[start : start + 60] for start in starts])
    scores = [answer.anomaly_score for answer in alone]
    np.testing.assert_allclose(found["anomaly_by_window"], scores, rtol=1e-4)
    steps = [answer.anomaly_by_step for answer in alone]
    held = [
        [steps[i][k - a] for i, a in enumerate(starts) if a <= k < a + 60]
        for k in range(360)
    ]
    means = [np.mean(one) for one in held]
    np.testing.assert_allclose(found["anomaly_by_step"], means, rtol=1e-3)
    settings = Settings(rest_port=0, grpc_port=0)
    with serving_here([ModelConfig("m", run.artifact_dir.parent)], settings) as served:
        request = {"signature_name": "stream", "instances": [long.tolist()]}
        (answer,) = served.post("/v1/models/m:predict", request).json["predictions"]
        for name in ("anomaly_by_window", "anomaly_by_step", "anomaly_score"):
            np.testing.assert_allclose(answer[name], found[name], rtol=1e-3)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        request.model_spec.signature_name = "stream"
        request.inputs["series"].CopyFrom(tf.make_tensor_proto(long[None]))
        with grpc.insecure_channel(served.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            response = stub.Predict(request, timeout=60)
        by_step = tf.make_ndarray(response.outputs["anomaly_by_step"])
        np.testing.assert_allclose(by_step[0], found["anomaly_by_step"], rtol=1e-3)


def test_a_matrix_profile_is_proved_and_says_when(tmp_path):
    np.savez(tmp_path / "data.npz", x=(x := waves()), y=KINDS)
    run = pipelines.fine_tune(
        f"npz:{tmp_path}/data.npz",
        problem="anomaly",
        workdir=tmp_path / "run",
        anomaly=AnomalyConfig("matrix_profile", alpha=0.1),
    )
    assert run.report["parity"]["largest_difference"] <= 1e-3
    assert run.report["test"]["auroc"] > 0.95
    (strange,) = pipelines.load(run.artifact_dir).predict([x[-1]])
    assert strange.anomalous
    assert 10 <= np.argmax(strange.anomaly_by_step) <= 40


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.zeros((2, 90, 1)), r"shape \[steps, 1\].*\[2, 90, 1\] came"),
        (np.zeros((90, 2)), r"shape \[steps, 1\]"),
        (["high", "low"], "holds numbers"),
    ],
)
@pytest.mark.parametrize("trained", ["series"], indirect=True)
def test_what_is_no_long_series_is_refused(trained, series, message):
    with pytest.raises(DataError, match=message):
        pipelines.load(trained[1].artifact_dir).stream(series)


@pytest.mark.parametrize("trained", ["image"], indirect=True)
def test_images_have_no_stream(trained):
    with pytest.raises(ArtifactError, match="no signature 'stream'"):
        pipelines.load(trained[1].artifact_dir).stream(np.zeros(90))


@pytest.mark.parametrize("trained", ["image"], indirect=True)
@pytest.mark.parametrize("command", ["rank", "export", "add-class", "compare", "tune"])
def test_commands_that_need_classes_refuse_by_name(trained, tmp_path, command, capsys):
    _, run, _ = trained
    data, workdir = run.report["data"]["reference"], str(run.workdir)
    base = ["export", workdir, "--to", str(tmp_path / "base")]
    flags = {
        "rank": ["rank", "--data", data, "--problem=anomaly", "--backbones=tiny*"],
        "export": [*base, "--format", "litert-float32"],
        "add-class": ["add-class", workdir, "--name=new", "--data", data],
        "compare": ["compare", workdir, str(shutil.copytree(workdir, tmp_path / "b"))],
        "tune": [
            "tune",
            f"--config.data={data}",
            "--config.problem=anomaly",
            "--config.backbone=tiny_image",
            "--config.weights=none",
            f"--config.workdir={tmp_path}/search",
            "--trials=1",
        ],
    }
    assert cli.main(flags[command]) != 0
    printed = capsys.readouterr()
    assert "anomaly" in printed.err + printed.out


@pytest.mark.parametrize("trained", ["image"], indirect=True)
def test_a_failed_export_is_repeated_alone(trained, tmp_path, monkeypatch):
    _, run, _ = trained
    fields = {
        "backbone": "tiny_image",
        "weights": "none",
        "problem": "anomaly",
        "anomaly": AnomalyConfig("sum", alpha=0.1),
        "workdir": tmp_path / "run",
    }

    def fails(*arguments, **options):
        raise ArtifactError("The disk is full.")

    data = run.report["data"]["reference"]
    with monkeypatch.context() as patch:
        patch.setattr(job, "export", fails)
        with pytest.raises(ArtifactError, match="disk is full"):
            pipelines.fine_tune(data, **fields)
    again = pipelines.fine_tune(data, **fields)
    assert again.report["test"] == run.report["test"]
