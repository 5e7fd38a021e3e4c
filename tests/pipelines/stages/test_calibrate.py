"""The calibration of a real model: what is measured, and on which examples."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from pipelines.calibration.calibration import uncalibrated
from pipelines.config import CalibrationConfig, RunConfig
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.planning.policy import decide
from pipelines.problems.class_reports import calibration_report, evaluate
from pipelines.runtime.clock import Clock
from pipelines.stages import outputs as outputs_stage
from pipelines.stages.base import freeze_base
from pipelines.stages.calibrate import (
    Calibrated,
    calibrate_model,
    rows_of_each_class,
)
from pipelines.stages.head import add_head
from pipelines.stages.measure import measure, training_facts
from pipelines.stages.obtain import obtain
from pipelines.stages.outputs import OutputRequest, outputs


@pytest.fixture(scope="module")
def splits():
    return load(DatasetRef.parse("builtin:digits?limit=900&validation=0.3&test=0.3"))


@pytest.fixture(scope="module")
def model(splits):
    """A random backbone with the best linear classifier on it, far from sure enough."""
    keras.utils.set_random_seed(0)
    config = RunConfig(backbone="tiny_image", weights="none", input_size_px=16)
    config.head.reads = "last"
    base = freeze_base(obtain(config, splits.train.inputs))
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config).head
    probe = measured.probe(plan)
    model = add_head(base, classes=10, plan=plan, probe=probe)
    model.logits_layer.set_weights([probe.kernel / 4, probe.bias / 4])
    return model


@pytest.fixture(scope="module")
def calibrated(model, splits):
    return calibrate_model(model, splits, CalibrationConfig(), batch_size=128)


def test_outputs_of_several_splits_are_those_of_each(model, splits, calibrated):
    (alone,) = outputs(model, [splits.test], batch_size=50)
    assert (alone.split, len(alone.labels)) == ("test", len(splits.test))
    for name in ("logits", "features", "labels"):
        found = getattr(calibrated.test, name)
        np.testing.assert_allclose(getattr(alone, name), found, atol=1e-5)
    assert calibrated.validation.split == "validation"


def test_what_was_measured_is_not_read_again(splits, monkeypatch):
    """But gives what a pass over the whole model gives; of test, that is read then."""
    config = RunConfig(backbone="tiny_image", weights="none", input_size_px=16)
    keras.utils.set_random_seed(0)
    base = freeze_base(obtain(config, splits.train.inputs))
    measured = measure(base, splits, config, Clock())
    plan = decide(training_facts(base, splits, measured), config).head
    model = add_head(base, classes=10, plan=plan, probe=measured.probe(plan))
    rows = np.array([5, 1, 7])
    wanted = [OutputRequest(splits.train, rows), splits.validation, splits.test]
    plain = outputs(model, wanted, batch_size=128)
    read = []
    batches = outputs_stage.batches
    monkeypatch.setattr(
        outputs_stage,
        "batches",
        lambda split, **how: read.append(split.name) or batches(split, **how),
    )

    def compared():
        known = outputs(model, wanted, batch_size=128, known=measured.known)
        for one, other in zip(known, plain, strict=True):
            assert one.split == other.split
            np.testing.assert_array_equal(one.labels, other.labels)
            # Kept as float16.
            np.testing.assert_allclose(one.features, other.features, 1e-3, 1e-6)
            np.testing.assert_allclose(one.logits, other.logits, atol=0.02)

    compared()
    assert read == ["test"]
    # Blocks that trained are read again, by the same graph.
    weight = base.blocks[-1].layers[0].trainable_variables or base.model.weights[:1]
    weight[0].assign(weight[0] * 1.5)
    assert not measured.known.still_holds()
    plain = outputs(model, wanted, batch_size=128)
    read.clear()
    compared()
    assert read == ["train", "validation", "test"]


def test_only_validation_sets_the_calibration(model, splits, calibrated):
    assert calibrated.calibration.held_out_examples == len(splits.validation)
    swapped = dataclasses.replace(splits, test=splits.validation)
    again = calibrate_model(model, swapped, CalibrationConfig(), batch_size=128)
    assert again.calibration == calibrated.calibration
    other = dataclasses.replace(splits, validation=splits.test)
    other = calibrate_model(model, other, CalibrationConfig(), batch_size=128)
    assert other.calibration != calibrated.calibration


def test_calibration_improves_test_and_report_has_the_change(calibrated):
    report = calibration_report(calibrated)
    for split in ("validation", "test"):
        before, after = report[split]["before"], report[split]["after"]
        assert after["calibration_error"] < before["calibration_error"] / 2
        assert after["log_loss"] < before["log_loss"]
        assert after["brier_score"] < before["brier_score"]
    assert report["method"] in ("temperature", "bias")
    assert report["temperature"] < 0.5
    test = report["test"]
    assert 0.85 < test["confident"] <= 1
    assert 0.95 < test["in_distribution"] <= 1
    assert test["accepted"] <= min(test["confident"], test["in_distribution"])
    assert test["accuracy_of_accepted"] > test["after"]["accuracy"]
    assert [one["level"] for one in test["prediction_sets"]] == [0.95, 0.99]
    narrow, wide = test["prediction_sets"]
    assert 0.9 < narrow["coverage"] <= wide["coverage"]
    assert 1 <= narrow["mean_size"] < wide["mean_size"] <= 10
    json.dumps(report, allow_nan=False)


def test_the_evaluation_is_of_what_is_served(calibrated):
    test = calibration_report(calibrated)["test"]
    names = tuple(map(str, range(10)))
    after = evaluate(calibrated.test, calibrated.calibration, class_names=names)
    before = evaluate(
        calibrated.test, uncalibrated(10, reason="as it is"), class_names=names
    )
    for one, when in ((before, "before"), (after, "after")):
        assert one.loss == pytest.approx(test[when]["log_loss"])
        assert one.calibration_error == pytest.approx(test[when]["calibration_error"])
        assert one.accuracy == pytest.approx(test[when]["accuracy"])


def test_without_calibration_before_is_after(model, splits):
    config = CalibrationConfig(method="none")
    report = calibration_report(calibrate_model(model, splits, config, batch_size=128))
    assert report["test"]["before"] == report["test"]["after"]
    assert report["test"]["accepted"] == 1
    assert report["method"] == "none"


def test_accuracy_of_accepted_is_none_without_accepted_examples(calibrated):
    strict = dataclasses.replace(calibrated.calibration, confidence_threshold=1.1)
    report = calibration_report(
        Calibrated(strict, calibrated.validation, calibrated.test)
    )
    assert report["test"]["accepted"] == 0
    assert report["test"]["accuracy_of_accepted"] is None


def test_rows_of_each_class_spread_over_the_split(splits):
    train = splits.train
    counts = np.bincount(train.labels)
    assert (counts < 50).all()  # 500 in all would be 50 of each
    assert len(rows_of_each_class(train.labels)) == len(train)
    large = train.take(np.repeat(np.arange(len(train)), 3))
    some = large.take(rows_of_each_class(large.labels))
    assert np.bincount(some.labels).tolist() == [50] * 10
    first = train.inputs.take([int(np.flatnonzero(train.labels == some.labels[0])[0])])
    np.testing.assert_array_equal(some.inputs.pixels[0], first.pixels[0])
