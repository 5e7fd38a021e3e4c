"""Numbers: intervals hold what they promise."""

import json

import numpy as np
import pytest

from pipelines.calibration.intervals import calibrate_numbers, interval
from pipelines.config import CalibrationConfig

RNG = np.random.default_rng(0)
MEAN, SCALE = np.array([5.0, -2.0]), np.array([3.0, 0.5])


def calibrated(outputs, truth, **fields):
    features = RNG.normal(size=(len(outputs), 4)).astype(np.float32)
    return calibrate_numbers(
        outputs,
        truth,
        features,
        features,
        np.arange(len(outputs)) % 3,
        mean=MEAN,
        scale=SCALE,
        calibration=CalibrationConfig(**fields),
    )


def test_intervals_hold_the_promised_share_on_average():
    held = []
    for _ in range(200):
        noise = RNG.standard_t(3, size=(60, 2))
        outputs = RNG.normal(size=(60, 2))
        truth = outputs * SCALE + MEAN + noise
        found = calibrated(outputs[:40], truth[:40], conformal_levels=(0.9,))
        answers = found.answer(outputs[40:], np.zeros((20, 4)))
        held.append((answers.lower <= truth[40:]) & (truth[40:] <= answers.upper))
    # 8,000 numbers, with calibrations of 40 examples.
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_values_are_in_the_units_of_the_data():
    outputs = np.float32([[0.0, 0.0], [1.0, -2.0]])
    found = calibrated(outputs, outputs * SCALE + MEAN)
    np.testing.assert_allclose(found.values(outputs), [[5, -2], [8, -3]])
    json.dumps(found.to_manifest(), allow_nan=False)


def test_too_few_examples_promise_what_they_can():
    errors = np.sort(RNG.random((60, 1)), axis=0)
    wide = interval(errors, level=0.99)
    assert wide.promised == pytest.approx(60 / 61)
    assert wide.half_widths == (float(errors.max()),)
    assert interval(errors, level=0.9).promised == 0.9
    outputs = RNG.normal(size=(60, 2))
    reason = calibrated(outputs, outputs).reason
    assert "too few for the level 0.99: its interval" in reason
    assert "0.984" in reason
