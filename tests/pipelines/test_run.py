"""A run from its config to its folder, by what a finished one has left."""

import dataclasses
import json
import shutil

import keras
import pytest

import pipelines
from pipelines.config import from_fields
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ArtifactError, ConfigError
from pipelines.report.predictions import FILE_NAME, read
from pipelines.run import run
from pipelines.serving.artifact import open_verified, read_manifest, write_manifest

STAGES = ["obtain", "data", "measure", "head", "finetune", "calibrate", "evaluate"]


def history_of(folder):
    return list(map(json.loads, (folder / "history.jsonl").read_text().splitlines()))


@pytest.fixture
def report(finished_run):
    return json.loads((finished_run / "report.json").read_text())


def test_stages_follow_each_other(report):
    assert [*report["seconds"]] == [*STAGES, "export", "gallery", "total"]


def test_run_leaves_plan_data_and_artifact(finished_run, report):
    left = {path.name for path in finished_run.iterdir()}
    assert left >= {"config.json", "plan.json", "data_card.json", "history.jsonl"}
    assert left >= {"report.json", "report.html", "environment.json", "tensorboard"}
    assert [path.name for path in (finished_run / "artifact").iterdir()] == ["1"]
    kept = finished_run / "checkpoints" / report["backbone"]["file"]
    assert kept.is_file()


def test_predictions_agree_with_the_report(finished_run, report):
    rows = list(read(finished_run / FILE_NAME))
    for split in ("validation", "test"):
        right = [row.is_right for row in rows if row.split == split]
        assert len(right) == report[split]["examples"] > 0
        assert sum(right) / len(right) == pytest.approx(report[split]["accuracy"])
        accepted = [row.accepted for row in rows if row.split == split]
        share = report["calibration"][split]["accepted"]
        assert sum(accepted) / len(accepted) == pytest.approx(share)
    assert {row.label for row in rows} <= set(report["class_names"])


def test_predictions_are_the_answers_of_the_artifact(finished_run):
    splits = load(DatasetRef.parse("builtin:digits?limit=120"))
    rows = [row for row in read(finished_run / FILE_NAME) if row.split == "test"]
    answers = pipelines.load(finished_run / "artifact").predict(
        list(splits.test.inputs.pixels)
    )
    assert [row.example for row in rows] == list(splits.test.names)
    for row, answer in zip(rows, answers, strict=True):
        assert (row.predicted, row.accepted) == (answer.label, answer.accepted)
        assert row.confidence == pytest.approx(answer.confidence, rel=1e-4)
        assert row.ood_score == pytest.approx(answer.ood_score, rel=1e-3, abs=1e-3)
        of_answer = {name: answer.probabilities[name] for name in row.probabilities}
        assert row.probabilities == pytest.approx(of_answer, rel=1e-4, abs=1e-6)


def test_model_cards_are_in_run_and_artifact(finished_run):
    of_run = (finished_run / "model_card.md").read_text(encoding="utf-8")
    version = finished_run / "artifact" / "1"
    of_artifact = (version / "model_card.md").read_text(encoding="utf-8")
    assert "outputs were compared" in of_run
    assert "outputs were compared" not in of_artifact
    assert of_run.split("## How it was made")[0] == of_artifact.split("## How it")[0]
    assert "model_card.md" in open_verified(version).manifest.files


def test_artifact_of_an_older_version_loads(finished_run, tmp_path):
    version = shutil.copytree(finished_run / "artifact" / "1", tmp_path / "1")
    (version / "model_card.md").unlink()
    with pytest.raises(ArtifactError, match="model_card.md differ"):
        open_verified(version)
    manifest = read_manifest(version)
    files = {k: v for k, v in manifest.files.items() if k != "model_card.md"}
    write_manifest(version, dataclasses.replace(manifest, files=files))
    assert pipelines.load(version).modality == "image"


def test_it_is_not_run_again_in_its_folder(finished_run):
    fields = json.loads((finished_run / "config.json").read_text())
    before = (finished_run / "report.json").read_bytes()
    chosen = {name: fields[name] for name in ("data", "backbone", "weights")}
    with pytest.raises(ConfigError, match="holds a finished run"):
        run(from_fields({**chosen, "workdir": str(finished_run)}))
    assert (finished_run / "report.json").read_bytes() == before


def test_cut_network_is_exported_with_its_new_block(tmp_path):
    config = from_fields(
        {
            "data": "builtin:digits?limit=120",
            "backbone": "tiny_image",
            "weights": "none",
            "input_size_px": 16,
            "strategy": "cut",
            "workdir": str(tmp_path / "run"),
        }
    )
    config.head.cut_after, config.head.epochs = "block2", 1
    config.finetune.guard, config.export.explain = False, True
    done = run(config)
    assert "Cuts the network after 'block2'" in done.plan.reason
    assert done.report["phases"][0]["kept"]
    parity = done.report["parity"]
    assert parity["largest_difference"] <= parity["tolerance"]
    pixels = load(DatasetRef.parse(config.data)).test.inputs.pixels
    answers = pipelines.load(done.artifact_dir).predict(list(pixels))
    rows = [row for row in read(tmp_path / "run" / FILE_NAME) if row.split == "test"]
    assert [answer.label for answer in answers] == [row.predicted for row in rows]
    gallery = json.loads((tmp_path / "run" / "gallery.json").read_text())
    assert any("heat" in entry for entry in gallery["examples"])


class Seen(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.phases, self.steps, self.losses = 0, [], []

    def on_train_begin(self, logs=None):
        self.phases += 1

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(batch)

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs["val_loss"])


def test_callbacks_see_every_step_of_every_phase(tmp_path):
    seen = Seen()
    workdir = tmp_path / "run"
    trained = pipelines.fine_tune(
        "builtin:digits?limit=120",
        backbone="tiny_image",
        weights="none",
        strategy="full",
        head={"epochs": 2, "init": "zeros"},
        finetune={"epochs": 1},
        workdir=workdir,
        callbacks=[seen],
    )
    lines = history_of(workdir)
    assert {line["phase"] for line in lines} == {"head", "fine_tune"}
    assert seen.phases == len(trained.history.phases) == 2
    assert seen.losses == pytest.approx([line["val_loss"] for line in lines])
    assert seen.steps == [0, 1, 2] * len(lines)
    about = json.loads((workdir / "environment.json").read_text())
    assert about["callbacks"] == ["Seen"]


def test_call_with_what_is_no_callback_leaves_nothing(tmp_path):
    with pytest.raises(ConfigError, match="is the class Seen"):
        pipelines.fine_tune("dir:missing", workdir=tmp_path / "run", callbacks=[Seen])
    assert not [*tmp_path.iterdir()]


def test_function_evaluates_as_the_run_did(finished_run, report):
    again = pipelines.evaluate(finished_run / "artifact", report["data"]["reference"])
    assert again.split == "test"
    assert again.accuracy == report["test"]["accuracy"]
    with pytest.raises(ConfigError, match="split is 'tets'; allowed: auto, train"):
        pipelines.evaluate(finished_run / "artifact", "dir:missing", split="tets")
