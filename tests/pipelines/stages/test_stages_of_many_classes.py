"""More classes than are read of other data: measured, calibrated and evaluated."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from pipelines.config import CalibrationConfig, RunConfig
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.planning.policy import decide
from pipelines.problems.class_reports import calibration_report, evaluate
from pipelines.report import confusion_page
from pipelines.runtime.clock import Clock
from pipelines.stages.base import freeze_base
from pipelines.stages.calibrate import (
    calibrate_model,
    rows_of_each_class,
)
from pipelines.stages.evidence import compare
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain

CLASSES = 4100
PER_CLASS = 4
JUDGED = 400


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Noise around a pattern of coarse cells for each class; two of each to train."""
    rng = np.random.default_rng(0)
    labels = np.arange(PER_CLASS * CLASSES) % CLASSES
    patterns = rng.integers(0, 256, (CLASSES, 4, 4, 3))
    pixels = patterns.repeat(2, axis=1).repeat(2, axis=2)[labels] * 0.8
    pixels += rng.normal(25, 10, pixels.shape)
    path = tmp_path_factory.mktemp("many") / "many.npz"
    np.savez(path, x=np.clip(pixels, 0, 255).astype(np.uint8), y=labels)
    return load(DatasetRef.parse(f"npz:{path}"))


@pytest.fixture(scope="module")
def config():
    config = RunConfig(backbone="tiny_image", weights="none", input_size_px=8)
    config.strategy, config.batch_size = "head_only", 256
    return config


@pytest.fixture(scope="module")
def base(splits, config):
    keras.utils.set_random_seed(0)
    return freeze_base(obtain(config, splits.train.inputs))


@pytest.fixture(scope="module")
def measured(base, splits, config):
    with pytest.MonkeyPatch.context() as patched:
        # In a tenth of the time of a thousand.
        patched.setattr(compare, "_COMPARED", JUDGED)
        return measure(base, splits, config, Clock())


@pytest.fixture(scope="module")
def model(base, splits, config, measured):
    plan = decide(training_facts(base, splits, measured), config)
    probe = measured.probe(plan.head)
    assert probe.kernel.shape[1] == CLASSES
    return add_head(base, classes=CLASSES, plan=plan.head, probe=probe)


def test_every_class_is_read_and_plan_counts_judged(base, splits, config, measured):
    assert len(np.unique(measured.labels)) == CLASSES
    evidence = measured.evidence
    assert (evidence.examples, evidence.fitted_examples) == (JUDGED, len(splits.train))
    assert evidence.best_head.accuracy > 0.5
    reason = decide(training_facts(base, splits, measured), config).reason
    assert (
        f"fitted to {len(splits.train)} training examples, {JUDGED} of them" in reason
    )


def test_many_class_answers_are_right_and_calibrated(model, splits):
    found = calibrate_model(model, splits, CalibrationConfig(), batch_size=256)
    report = calibration_report(found)
    assert report["test"]["after"]["accuracy"] > 0.9
    assert report["test"]["after"]["calibration_error"] < 0.1
    assert report["test"]["prediction_sets"][0]["coverage"] > 0.9
    names = splits.info.class_names
    tested = evaluate(found.test, found.calibration, class_names=names)
    assert tested.accuracy == report["test"]["after"]["accuracy"]
    assert len(json.dumps(dataclasses.asdict(tested))) < 1e6
    page = confusion_page.confusion(
        "test", tested.confusion, names, form=tested.confusion_form
    )
    assert "examples were wrong" in page or "were right" in page
    assert len(page) < 50_000


def test_wide_space_takes_fewer_rows_of_each_class(splits):
    labels = np.tile(splits.train.labels, 3)
    assert len(rows_of_each_class(labels, width=100)) == len(labels)
    wide = rows_of_each_class(labels, width=20_000)
    assert set(np.bincount(labels[wide])) == {2}
