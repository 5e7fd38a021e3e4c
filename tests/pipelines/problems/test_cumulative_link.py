"""A logit for each step between grades, and the probabilities of grades."""

import keras
import numpy as np
from scipy.special import expit

from pipelines.problems.cumulative_link import (
    CumulativeLink,
    log_probabilities,
    offsets_of,
    steps_of,
)

LOGITS = np.float32([[2, 0.5, -1], [-90, 50, 90], [90, 90, 90], [0, 3, 0]])


def test_the_layer_gives_log_probabilities_of_all_grades():
    logs = keras.ops.convert_to_numpy(CumulativeLink([0.0] * 3)(LOGITS))
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(logs).all()
    shares = -np.diff([1, *expit(LOGITS[0]), 0])
    np.testing.assert_allclose(np.exp(logs[0]), shares, atol=5e-3)
    np.testing.assert_allclose(logs, log_probabilities(LOGITS), rtol=1e-4)
    # A later step is never likelier than an earlier one.
    assert logs.argmax(axis=1).tolist()[1:3] == [0, 3]


def test_the_layer_is_saved_with_its_offsets(tmp_path):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, CumulativeLink([1.0, 0.0, -1.0])(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = log_probabilities(LOGITS + [1.0, 0.0, -1.0])
    np.testing.assert_allclose(again.predict(LOGITS, verbose=0), expected, rtol=1e-4)


def test_offsets_give_the_shares_of_grades():
    grades = np.repeat([0, 1, 2], [500, 300, 200])
    logs = log_probabilities(offsets_of(grades, 3)[None, :])
    np.testing.assert_allclose(np.exp(logs[0]), [0.5, 0.3, 0.2], atol=0.01)


def test_steps_count_the_grade():
    assert steps_of(np.array([0, 2, 1]), 3).tolist() == [[0, 0], [1, 1], [1, 0]]
