"""Several labels: temperatures, thresholds for F1, and what is accepted."""

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score

from pipelines.calibration.labels import (
    best_f1_threshold,
    calibrate_labels,
    f1_thresholds,
    label_temperature,
)
from pipelines.config import CalibrationConfig

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(600, 3)) * 2
LABELS = (RNG.random((600, 3)) < expit(LOGITS)).astype(np.float32)
FEATURES = (RNG.normal(size=(600, 5)) + 3).astype(np.float32)


def calibrated(logits, labels=LABELS, **fields):
    rows = slice(0, len(logits))
    return calibrate_labels(
        logits,
        labels[rows],
        FEATURES[rows],
        FEATURES,
        np.arange(600) % 3,
        calibration=CalibrationConfig(**fields),
    )


def test_a_temperature_of_each_label_undoes_its_factor():
    found = calibrated(LOGITS * [4.0, 1.0, 0.5])
    np.testing.assert_allclose(found.temperatures, [4.0, 1.0, 0.5], rtol=0.25)


def test_few_examples_leave_the_temperature_near_one():
    assert 0.5 < label_temperature(np.array([9.0, -9.0]), np.array([0, 1])) < 4


def test_the_threshold_has_the_best_f1():
    probabilities, labels = expit(LOGITS[:, 0]), LABELS[:, 0]
    best = best_f1_threshold(probabilities, labels)
    scores = [
        f1_score(labels, probabilities >= threshold)
        for threshold in np.linspace(0.01, 0.99, 99)
    ]
    assert f1_score(labels, probabilities >= best) >= max(scores)
    assert best_f1_threshold(np.array([0.2, 0.4]), np.zeros(2)) == 0.5


def test_a_rare_label_takes_the_threshold_of_all():
    labels = LABELS.copy()
    labels[:, 2] = 0
    labels[:5, 2] = 1
    probabilities = expit(LOGITS)
    common = best_f1_threshold(probabilities.ravel(), labels.ravel())
    assert f1_thresholds(probabilities, labels)[2] == common
    assert f1_thresholds(probabilities, labels)[0] != common


def test_shares_of_new_examples_are_accepted():
    found = calibrated(LOGITS, coverage=0.8, in_distribution=0.95)
    answers = found.answer(LOGITS, FEATURES)
    assert answers.accepted.mean() == pytest.approx(0.8 * 0.95, abs=0.04)
    far = found.answer(LOGITS, -FEATURES)
    assert (far.ood_score > 1).mean() > 0.9
    json.dumps(found.to_manifest(), allow_nan=False)


@pytest.mark.parametrize(
    ("count", "fields", "sentence"),
    [
        (600, {"method": "none"}, "is 'none'"),
        (10, {}, "10 held-out examples"),
        (
            10,
            {"least_precision": 0.9},
            "config.calibration.least_precision is not kept",
        ),
    ],
)
def test_without_calibration_all_is_accepted(count, fields, sentence):
    found = calibrated(LOGITS[:count], **fields)
    assert sentence in found.reason
    assert found.thresholds == (0.5,) * 3
    assert found.answer(LOGITS, FEATURES).accepted.all()
