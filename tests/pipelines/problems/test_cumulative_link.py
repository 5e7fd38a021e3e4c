"""One score, cut points, and the probabilities of grades."""

import keras
import numpy as np
import pytest
from scipy.special import expit

from pipelines.problems.cumulative_link import (
    CumulativeLink,
    even_cut_points,
    fit_link,
    log_probabilities,
)

CUT_POINTS = np.array([-1.0, 0.5, 2.0])
RNG = np.random.default_rng(0)


def drawn(scores, factor):
    below = expit(CUT_POINTS - factor * scores[:, None])
    return (RNG.random(len(scores))[:, None] > below).sum(axis=1)


def test_the_layer_gives_log_probabilities_of_all_grades():
    layer = CumulativeLink(CUT_POINTS.tolist())
    scores = np.float32([[-50.0], [0.3], [50.0]])
    logs = keras.ops.convert_to_numpy(layer(scores))
    below = expit(CUT_POINTS - 0.3)
    np.testing.assert_allclose(np.exp(logs[1]), np.diff([0, *below, 1]), rtol=1e-3)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, rtol=1e-3)
    assert np.isfinite(logs).all()
    in_numpy = log_probabilities(scores[:, 0], CUT_POINTS)
    np.testing.assert_allclose(logs, in_numpy, rtol=2e-3, atol=2e-3)


def test_cut_points_stay_in_order_and_are_saved(tmp_path):
    inputs = keras.Input((1,))
    layer = CumulativeLink([0.0, 0.0, 3.0])
    model = keras.Model(inputs, layer(inputs))
    assert np.isfinite(model.predict(np.zeros((2, 1)), verbose=0)).all()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for mine, theirs in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(mine, theirs)


def test_a_fit_finds_factor_and_cut_points():
    scores = RNG.normal(size=3000) * 0.5 + 2
    grades = drawn((scores - 2) * 2, 3.0)
    factor, cut_points = fit_link(scores, grades, 4)
    assert factor == pytest.approx(6, rel=0.15)
    np.testing.assert_allclose(cut_points - 12, CUT_POINTS, atol=1.5)


def test_parted_grades_have_a_finite_fit():
    scores = np.repeat([0.0, 1.0, 2.0], 10)
    factor, cut_points = fit_link(scores, np.repeat([0, 1, 2], 10), 3)
    assert np.isfinite(factor)
    logs = log_probabilities(factor * scores, cut_points)
    assert (logs.argmax(axis=1) == np.repeat([0, 1, 2], 10)).all()


def test_even_cut_points_give_the_shares_of_grades():
    grades = np.repeat([0, 1, 2], [500, 300, 200])
    logs = log_probabilities(np.zeros(1), even_cut_points(grades, 3))
    np.testing.assert_allclose(np.exp(logs[0]), [0.5, 0.3, 0.2], atol=0.01)
