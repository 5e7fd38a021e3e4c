"""The size of errors is learned where features say it, and only there."""

import numpy as np
import pytest

from pipelines.calibration.intervals import calibrate_numbers
from pipelines.config import CalibrationConfig
from pipelines.probing.error_sizes import fit_spread
from pipelines.problems.number_answers import expected, graph_answers

RNG = np.random.default_rng(0)


def noisy(count):
    """Features, and targets whose errors are 0.1 to 2.1 by the first feature."""
    features = RNG.random((count, 5)).astype(np.float32)
    noise = RNG.normal(size=(count, 1)) * (0.1 + 2 * features[:, :1])
    return features, features[:, 1:2] + noise


@pytest.fixture(scope="module")
def calibration():
    spread, _ = fit_spread(*noisy(400))
    features, truth = noisy(300)
    return calibrate_numbers(
        features[:, 1:2],
        truth,
        features,
        features,
        np.zeros(300, np.int64),
        mean=np.zeros(1),
        scale=np.ones(1),
        calibration=CalibrationConfig(coverage=0.8, conformal_levels=(0.9,)),
        spread=spread,
    )


def test_widths_follow_errors_and_hold_their_promise(calibration):
    features, truth = noisy(4000)
    answers = calibration.answer(features[:, 1:2], features)
    held = (answers.lower <= truth) & (truth <= answers.upper)
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    half = (answers.upper - answers.lower)[:, 0] / 2
    is_quiet = features[:, 0] < 0.2
    assert half[is_quiet].mean() < 0.5 * half[features[:, 0] > 0.8].mean()
    # Of one width, those of noisy examples would hold far less.
    assert held[features[:, 0] > 0.8].mean() == pytest.approx(0.9, abs=0.06)
    assert answers.accepted.mean() == pytest.approx(0.8, abs=0.06)
    is_wide = ~answers.accepted & (answers.ood_score <= 1)
    assert half[answers.accepted].max() <= half[is_wide].min()


def test_graph_gives_the_same_intervals(calibration):
    features, _ = noisy(50)
    outputs = features[:, 1:2]
    in_memory = expected(calibration, outputs, features, unit=1.0)
    valid = np.arange(50) > 0
    answers = graph_answers(calibration).answer(outputs, features, valid)
    for name in ("values", "lower", "upper", "accepted"):
        np.testing.assert_allclose(
            answers[name].numpy()[1:], in_memory[name].values[1:], atol=1e-5
        )
    assert not answers["accepted"].numpy()[0]
    assert "other" in in_memory["accepted"].margins


def test_spread_is_not_made_of_chance():
    features = RNG.random((400, 5)).astype(np.float32)
    targets = features[:, 1:2] + RNG.normal(size=(400, 1))
    spread, why_not = fit_spread(features, targets)
    assert spread is None
    assert "do not say" in why_not
    spread, why_not = fit_spread(features[:20], targets[:20])
    assert spread is None
    assert "20 examples are too few" in why_not
