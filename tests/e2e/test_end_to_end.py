"""From a reference to predictions that equal the trained model's, on real weights."""

import io
import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pipelines
from pipelines.config import FinetuneConfig
from pipelines.data.images.decode import decode_and_resize
from pipelines.data.readers.builtin import read
from tests.support import warm_python
from tests.support.same_seed import fingerprint, trained_in_a_process

SIZE = 64


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of real images as a user has it: JPEG files in class folders."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    digits = read("mnist_5k")
    for label in range(4):
        (folder / f"digit {label}").mkdir(parents=True)
        for i in np.flatnonzero(digits.labels == label)[:60]:
            image = Image.fromarray(digits.inputs.pixels[i])
            image.save(folder / f"digit {label}" / f"{i}.jpg", quality=92)
    return folder


PRETRAINED = {
    "backbone": "efficientnet_lite0",
    "input_size_px": SIZE,
    "strategy": "partial",
}


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "photos"
    return pipelines.fine_tune(
        f"dir:{photos}",
        workdir=folder,
        # With few mistakes on validation, no gain could show.
        finetune=FinetuneConfig(guard=False),
        **PRETRAINED,
    )


@pytest.mark.weights
def test_the_run_learns_and_leaves_its_folder(run):
    assert run.report["test"]["accuracy"] >= 0.9
    assert run.report["test"]["examples"] == 36
    assert run.report["class_names"] == [f"digit {i}" for i in range(4)]
    left = {path.name for path in run.workdir.iterdir()}
    assert left >= {
        "config.json",
        "environment.json",
        "plan.json",
        "history.jsonl",
        "report.html",
        "report.json",
        "predictions.jsonl",
        "tensorboard",
        "artifact",
    }
    report = json.loads((run.workdir / "report.json").read_text())
    assert report == json.loads(json.dumps(run.report))
    assert {path.name for path in run.artifact_dir.parent.iterdir()} == {"1"}
    assert list((run.workdir / "tensorboard").rglob("events.*"))


@pytest.mark.weights
def test_receipt_shows_frozen_blocks_unchanged(run):
    receipt = run.report["receipt"]
    assert list(receipt) == ["head", "fine_tune"]
    frozen = [one for rows in receipt.values() for one in rows if not one["trainable"]]
    assert len(frozen) == 18 + 9
    assert {one["largest_change"] for one in frozen} == {0.0}
    every = [one for rows in receipt.values() for one in rows]
    assert {one["statistics_change"] for one in every} == {0.0}
    assert all(one["largest_change"] > 0 for one in every if one["trainable"])


@pytest.mark.weights
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_what_is_served_is_what_was_trained(run, photos, count):
    paths = sorted(photos.rglob("*.jpg"))[:: 240 // count][:count]
    predictions = pipelines.load(run.artifact_dir).predict(
        [path.read_bytes() for path in paths]
    )
    pixels = [decode_and_resize(tf.io.read_file(str(path)), SIZE) for path in paths]
    logits = run.model.predict(np.stack(pixels), verbose=0)
    wanted = np.exp(run.calibration.scaling.log_probabilities(logits))
    found = [list(prediction.probabilities.values()) for prediction in predictions]
    assert len(found) == count
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    names = run.report["class_names"]
    assert [p.label for p in predictions] == [names[i] for i in wanted.argmax(axis=1)]


@pytest.mark.slow
@pytest.mark.weights
def test_same_seed_in_another_process_gives_same_result(run, photos, tmp_path):
    fields = {
        **PRETRAINED,
        "data": f"dir:{photos}",
        "finetune": {"guard": False},
    }
    assert trained_in_a_process(tmp_path, fields) == [
        json.loads(json.dumps(fingerprint(run)))
    ]


@pytest.mark.weights
def test_predict_in_a_fresh_process_gives_the_labels(run, photos):
    files = [str(photos / f"digit {label}") for label in range(4)]
    files = [str(sorted((photos / f).glob("*.jpg"))[0]) for f in files]
    command = [sys.executable, "-m", "pipelines.cli", "predict", "--json"]
    ended = warm_python.run(
        [*command, str(run.artifact_dir), *files],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(ended.stdout)["predictions"]
    right = [f"/{row['label']}/" in row["file"] for row in rows]
    assert len(right) == 4
    assert sum(right) >= 3


@pytest.mark.weights
def test_evaluate_artifact_gives_numbers_of_report(run, photos):
    from pipelines.stages.evaluate import evaluate_artifact

    predictor = pipelines.load(run.artifact_dir)
    again = evaluate_artifact(predictor, f"dir:{photos}", split="auto")
    assert again.split == "test"
    assert again.accuracy == run.report["test"]["accuracy"]
    assert again.loss == pytest.approx(run.report["test"]["loss"], abs=1e-4)
    assert [list(row) for row in again.confusion] == [
        list(row) for row in run.report["test"]["confusion"]
    ]
    whole = evaluate_artifact(predictor, f"dir:{photos}", split="all")
    assert whole.examples == 240


@pytest.mark.weights
def test_evaluate_other_data_is_whole_unknown_classes_refused(run, photos, tmp_path):
    from pipelines.errors import DataError
    from pipelines.stages.evaluate import evaluate_artifact

    predictor = pipelines.load(run.artifact_dir)
    for label in (3, 1):
        folder = tmp_path / f"digit {label}"
        folder.mkdir()
        source = sorted((photos / f"digit {label}").glob("*.jpg"))[0]
        (folder / "one.jpg").write_bytes(source.read_bytes())
    report = evaluate_artifact(predictor, f"dir:{tmp_path}", split="auto")
    assert (report.split, report.examples) == ("all", 2)
    assert [sum(row) for row in report.confusion] == [0, 1, 0, 1]
    (tmp_path / "digit 3").rename(tmp_path / "letter a")
    with pytest.raises(DataError, match=r"\['letter a'\], which the artifact does not"):
        evaluate_artifact(predictor, f"dir:{tmp_path}", split="auto")


def test_mixed_precision_serves_float32(photos, tmp_path):
    run = pipelines.fine_tune(
        f"dir:{photos}?limit=120",
        backbone="tiny_image",
        weights="none",
        workdir=tmp_path / "run",
        input_size_px=16,
        strategy="head_only",
        precision="mixed_bfloat16",
    )
    stream = io.BytesIO()
    Image.new("RGB", (30, 30)).save(stream, "PNG")
    served = tf.saved_model.load(str(run.artifact_dir))
    for name in ("serving_default", "features"):
        outputs = served.signatures[name](image_bytes=tf.constant([stream.getvalue()]))
        types = {value.dtype for value in outputs.values() if value.dtype.is_floating}
        assert types == {tf.float32}
    assert keras.config.dtype_policy().name == "float32"
