"""A calibration: what it answers, what it says of poor data, and its round trip."""

import dataclasses
import json

import numpy as np
import pytest

from pipelines.calibration.calibration import (
    Calibration,
    calibrate,
    from_manifest,
    to_manifest,
    uncalibrated,
)
from pipelines.calibration.temperature import Temperature
from pipelines.calibration.thresholds import StrangenessThreshold
from pipelines.config import CalibrationConfig


def _held_out(n=300, *, classes=3, seed=0):
    """Logits twice too sure, labels and features."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(5).uniform(0, 1.2, (classes, 16))
    labels = np.arange(n) % classes
    features = centres[labels] + rng.normal(0, 1, (n, 16))
    logits = -((features[:, None] - centres) ** 2).sum(axis=2)
    return logits, labels, features


def _calibrated(held_out, **fields) -> Calibration:
    _, train_labels, train_features = _held_out(seed=1)
    return calibrate(
        *held_out,
        train_features,
        train_labels,
        calibration=CalibrationConfig(**fields),
    )


def test_logits_that_are_too_sure_are_cooled():
    found = _calibrated(_held_out())
    assert found.scaling.method == "temperature"
    assert found.scaling.temperature == pytest.approx(2, rel=0.3)
    assert found.held_out_examples == 300
    assert "Cross-validated" in found.reason
    assert [level for level, _ in found.set_thresholds] == [0.95, 0.99]


def test_new_examples_keep_the_configured_shares():
    logits, labels, features = _held_out(3000, seed=2)
    found = _calibrated(_held_out(3000), coverage=0.8, in_distribution=0.9)
    answers = found.answer(logits, features)
    assert answers.is_confident.mean() == pytest.approx(0.8, abs=0.03)
    assert answers.in_distribution.mean() == pytest.approx(0.9, abs=0.03)
    assert (
        answers.accepted.tolist()
        == (answers.is_confident & answers.in_distribution).tolist()
    )
    right = answers.labels == labels
    assert right[answers.is_confident].mean() > right.mean()


def test_answers_by_hand():
    calibration = Calibration(
        scaling=Temperature("bias", 2.0, (0.0, np.log(3.0))),
        held_out_examples=50,
        confidence_threshold=0.7,
        energy=StrangenessThreshold(median=-2.0, largest=-1.0),
        distance=None,
        set_thresholds=((0.9, 0.3), (0.99, 0.0)),
        reason="",
    )
    logits = np.array([[0.0, 0.0], [2 * np.log(9), 0.0], [2 * np.log(3), 0.0]])
    answers = calibration.answer(logits, np.zeros((3, 1)))
    np.testing.assert_allclose(
        answers.probabilities, [[0.25, 0.75], [0.75, 0.25], [0.5, 0.5]]
    )
    assert answers.labels[:2].tolist() == [1, 0]
    assert answers.is_confident.tolist() == [True, True, False]
    # Energies are -log 2, -log 82 and -log 10.
    np.testing.assert_allclose(
        answers.ood_score, [2 - np.log(2), 2 - np.log(82), 2 - np.log(10)]
    )
    assert answers.in_distribution.tolist() == [False, True, True]
    assert answers.accepted.tolist() == [False, True, False]
    assert answers.prediction_set.tolist() == [
        [False, True],
        [True, False],
        [True, True],
    ]


def test_a_value_on_a_threshold_is_undecided():
    calibration = dataclasses.replace(
        uncalibrated(2, reason=""), confidence_threshold=0.75
    )
    logits = np.log([[0.75, 0.25], [0.75 + 1e-6, 0.25 - 1e-6], [0.76, 0.24]])
    answers = calibration.answer(logits, np.zeros((3, 1)))
    assert calibration.is_decided(answers).tolist() == [False, False, True]
    open_to_all = uncalibrated(2, reason="")
    assert open_to_all.is_decided(open_to_all.answer(logits, logits)).all()


def test_method_none_leaves_answers_uncalibrated():
    found = _calibrated(_held_out(), method="none")
    assert found == uncalibrated(
        3, reason="config.calibration.method is 'none'.", examples=300
    )
    logits, _, features = _held_out()
    answers = found.answer(logits, features)
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        answers.probabilities, exponent / exponent.sum(axis=1, keepdims=True)
    )
    assert answers.accepted.all()
    assert answers.prediction_set.all()
    assert not answers.ood_score.any()
    assert to_manifest(found)["thresholds"] == {"confidence": 0.0}


def _spoilt(**arrays):
    logits, labels, features = _held_out()
    given = {"logits": logits, "labels": labels, "features": features, **arrays}
    return given["logits"], given["labels"], given["features"]


_LOGITS, _LABELS, _FEATURES = _held_out()
_NAN = np.where(np.arange(300)[:, None] == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("held_out", "temperature", "threshold", "reason"),
    [
        (_held_out(19), 1.0, 0.0, "19 held-out examples are too few; 20 are needed."),
        (_held_out(0), 1.0, 0.0, "0 held-out examples are too few"),
        (_spoilt(logits=_LOGITS * _NAN), 1.0, 0.0, "logits hold values that are not"),
        (_spoilt(labels=np.full(300, 2)), 1.0, 0.3, "are of one class"),
        (_spoilt(labels=_LOGITS.argmin(axis=1)), 1.0, 0.3, "No held-out example"),
        (
            _spoilt(labels=_LOGITS.argmax(axis=1)),
            0.05,
            0.3,
            "Every held-out example",
        ),
        (_spoilt(features=_FEATURES * _NAN), 1.0, 0.3, "No threshold for distance"),
        (
            _spoilt(features=np.ones_like(_FEATURES)),
            1.0,
            0.3,
            "No threshold for distance",
        ),
        (_spoilt(logits=np.zeros_like(_LOGITS)), 1.0, 0.3, "No threshold for energy"),
    ],
    ids=[
        "few",
        "none",
        "nan logits",
        "one class",
        "all wrong",
        "all right",
        "nan features",
        "constant features",
        "constant logits",
    ],
)
def test_poor_data_give_defaults_and_the_reason(
    held_out, temperature, threshold, reason
):
    found = _calibrated(held_out)
    assert reason in found.reason
    if temperature == 1.0 and "No threshold" not in reason:
        assert found.scaling.temperature == 1.0
    assert temperature <= found.scaling.temperature <= 20
    assert threshold <= found.confidence_threshold <= 1
    text = json.dumps(to_manifest(found), allow_nan=False)
    assert from_manifest(json.loads(text)) == found


def test_good_data_have_no_such_reason():
    assert "held-out examples:" in _calibrated(_held_out()).reason
    assert "No limit" not in _calibrated(_held_out()).reason


@pytest.mark.parametrize("fields", [{}, {"method": "bias"}, {"in_distribution": 1.0}])
def test_a_calibration_round_trips_through_its_manifest(fields):
    found = _calibrated(_held_out(), **fields)
    assert (found.space is None) == (fields == {"in_distribution": 1.0})
    again = from_manifest(json.loads(json.dumps(to_manifest(found))))
    for field in dataclasses.fields(Calibration):
        if field.name != "space":  # which is in the graph
            assert getattr(again, field.name) == getattr(found, field.name), field.name
    assert again.scaling.method == fields.get("method", "temperature")
