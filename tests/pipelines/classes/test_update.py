import dataclasses
import json
import shutil

import numpy as np
import pytest

import pipelines
from pipelines.classes import update
from pipelines.classes.change import added
from pipelines.classes.finished import open_finished
from pipelines.classes.read import FeatureReader
from pipelines.classes.refit import refit
from pipelines.cli import main
from pipelines.config import HeadConfig, from_fields
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError, DataError
from pipelines.features import kept_features
from pipelines.report import predictions
from pipelines.runs import report as reports
from pipelines.runs.prepare import prepare
from pipelines.runtime.clock import Clock
from pipelines.stages.publish import trained_backbone


@pytest.fixture(scope="module")
def extended(trained, digits, tmp_path_factory):
    """The run with its fourth class: its images are dealt as the run's are."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("extended") / "run")
    changed = pipelines.add_class(folder, name="three", data=f"dir:{digits / 'new'}")
    return folder, changed


def test_added_class_is_served(extended, digits):
    folder, changed = extended
    assert changed.class_names == ("one", "two", "zero", "three")
    assert changed.artifact_dir == folder / "artifact" / "2"
    predictor = pipelines.load(changed.artifact_dir)
    images = sorted((digits / "new").iterdir())
    answers = predictor.predict([path.read_bytes() for path in images])
    assert np.mean([answer.label == "three" for answer in answers]) > 0.8
    before = pipelines.load(folder / "artifact" / "1").artifact.manifest
    assert before.class_names == ("one", "two", "zero")


def test_report_and_predictions_know_the_class(extended):
    folder, changed = extended
    report = json.loads((folder / "report.json").read_text())
    assert report["class_names"] == list(changed.class_names)
    assert report["artifact"] == str(changed.artifact_dir)
    assert report["test"]["accuracy"] == changed.after
    assert report["changes"][0]["name"] == "three"
    rows = list(predictions.read(folder / predictions.FILE_NAME))
    assert {row.label for row in rows} == set(changed.class_names)
    right = [row.is_right for row in rows if row.split == "test"]
    assert np.mean(right) == pytest.approx(changed.after)
    assert "three" in (folder / "report.html").read_text()


def test_fingerprint_is_that_of_all_data(extended, digits):
    _, changed = extended
    whole = load(DatasetRef.parse(f"dir:{digits / 'all'}"))
    assert changed.report["data"]["fingerprint"] == whole.info.fingerprint


def test_head_equals_one_fitted_to_all(trained, digits, settings):
    """Against a run on all four classes in the same splits, measured anew.

    On whole images: other views are random crops, which another place in the order
    draws otherwise.
    """
    data = f"dir:{digits / 'all'}"
    whole_images = HeadConfig(views=1)
    config = from_fields({"data": data, "head": whole_images, **settings})
    whole = prepare(config, DatasetRef.parse(data), Clock())
    names = whole.splits.info.class_names
    expected = whole.measured.probe(whole.plan.head)
    run = open_finished(trained)
    reader = FeatureReader(
        run, lambda: trained_backbone(trained, run.report["backbone"])
    )
    old = kept_features.load(run.features_path)
    first = dataclasses.replace(old.train, features=old.train.first_view())
    new = {}
    for name in kept_features.SPLITS:
        split = getattr(whole.splits, name)
        rows = np.flatnonzero(split.labels == names.index("three"))
        new[name] = reader.read(split.take(rows))
    kept = added(dataclasses.replace(old, train=first), "three", new)
    probe = refit(kept, balanced=False, seed=0)
    order = [names.index(name) for name in kept.class_names]
    # A search finds how sharp the probabilities are, which the order of rows changes in
    # the fifth digit; it scales kernel and bias alike.
    sharpness = np.linalg.norm(probe.kernel) / np.linalg.norm(expected.kernel)
    assert sharpness == pytest.approx(1, abs=1e-4)
    kernel, bias = probe.kernel / sharpness, probe.bias / sharpness
    assert np.abs(kernel - expected.kernel[:, order]).max() < 1e-5
    assert np.abs(bias - expected.bias[order]).max() < 1e-4


def test_known_class_is_refused_before_reading(run_folder):
    with pytest.raises(ConfigError, match="has a class 'two' already"):
        pipelines.add_class(run_folder, name="two", data="dir:nowhere")
    assert not (run_folder / "artifact" / "2").exists()


def test_interrupted_change_is_repeated(run_folder, digits, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    data = f"dir:{digits / 'new'}"
    with monkeypatch.context() as patched:
        patched.setattr(reports, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            update.add_class(run_folder, name="three", data=data)
    assert (run_folder / "artifact" / "2").is_dir()
    changed = update.add_class(run_folder, name="three", data=data)
    assert changed.class_names == ("one", "two", "zero", "three")
    assert changed.artifact_dir.name == "3"
    files = {path.name for path in (run_folder / "checkpoints").iterdir()}
    assert files == {"backbone.weights.h5", kept_features.FILE_NAME}


def test_change_that_report_has_is_completed(extended, trained, tmp_path):
    """As if killed between the report and the features."""
    folder = shutil.copytree(extended[0], tmp_path / "run")
    run = open_finished(folder)
    run.features_path.rename(run.next_features_path)
    shutil.copy(open_finished(trained).features_path, run.features_path)
    run.settle_features(run.report["class_names"])
    names = kept_features.load(run.features_path).class_names
    assert list(names) == run.report["class_names"]
    assert not run.next_features_path.exists()


def test_features_of_other_classes_are_refused(extended, trained, tmp_path):
    folder = shutil.copytree(extended[0], tmp_path / "run")
    run = open_finished(folder)
    shutil.copy(open_finished(trained).features_path, run.features_path)
    with pytest.raises(ConfigError, match="features of other classes than those"):
        update.remove_class(folder, name="two")
    run.features_path.unlink()
    with pytest.raises(ConfigError, match="were changed since it was trained"):
        update.remove_class(folder, name="two")


def test_old_data_are_evaluated_on_test(extended, digits, capsys):
    folder, _ = extended
    data = f"dir:{digits / 'old'}"
    assert main(["evaluate", str(folder / "artifact"), "--data", data, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["split"], report["examples"]) == ("test", 18)


def test_proof_examples_are_of_the_modality(run_folder, tmp_path):
    (tmp_path / "texts.csv").write_text("text,label\na b,x\nc d,y\n")
    with pytest.raises(DataError, match="holds texts, but the run was trained on"):
        update.remove_class(run_folder, name="two", data=f"csv:{tmp_path}/texts.csv")


def test_names_are_spelt_as_in_data(run_folder):
    with pytest.raises(ConfigError, match="has a class 'two' already"):
        update.add_class(run_folder, name="two\u2003", data="dir:nowhere")
    with pytest.raises(ConfigError, match="has no class 'café'"):
        update.remove_class(run_folder, name=" cafe\u0301")
    with pytest.raises(DataError, match="cannot be shown"):
        update.merge_classes(run_folder, names=["one", "two "], name="a\nb")


def test_merged_then_removed_publishes_both(extended, tmp_path):
    folder = shutil.copytree(extended[0], tmp_path / "run")
    # As of a run with folds, whose heads are no longer part of what is published.
    for name, folds in (("config", 3), ("report", {"count": 3})):
        path = folder / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "folds": folds}))
    changed = update.merge_classes(folder, names=["one", "two"], name="some")
    assert changed.class_names == ("some", "zero", "three")
    changed = update.remove_class(folder, name="zero")
    assert changed.class_names == ("some", "three")
    values = json.loads((folder / "gallery.json").read_text())["examples"]
    assert {entry["label"] for entry in values} == {"some"}
    rows = list(predictions.read(folder / predictions.FILE_NAME))
    tests = [row for row in rows if row.split == "test"]
    for entry in (entry for entry in values if entry["split"] == "test"):
        row = tests[entry["row"]]
        assert (row.example, row.predicted) == (entry["name"], entry["predicted"])
    assert changed.artifact_dir.name == "4"
    report = json.loads((folder / "report.json").read_text())
    assert "folds" not in report
    assert report["plan"]["reason"].count("solved for training alone") == 1
    assert [change["action"] for change in report["changes"]] == [
        *("add", "merge", "remove"),
    ]
