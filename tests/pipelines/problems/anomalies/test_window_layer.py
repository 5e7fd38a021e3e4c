"""The layer of a detector of windows gives its scores by step, and saves."""

import keras
import numpy as np
import pytest

from pipelines.probing.detector import fit_detector
from pipelines.probing.windows import WindowDetector, with_windows
from pipelines.problems.anomalies.window_layer import window_layer

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(30, 50, 2)).cumsum(axis=1).astype(np.float32)
AVERAGES = SERIES.mean(axis=1)


def test_the_graph_gives_score_and_steps(tmp_path):
    detector = fit_detector([AVERAGES]).of_method("windows")
    detector = with_windows(detector, SERIES[:20])
    features, series = keras.Input((2,)), keras.Input((50, 2))
    model = keras.Model([features, series], window_layer(detector)([features, series]))
    given = np.asarray(model([AVERAGES, SERIES]))
    expected = detector.windows.by_step(SERIES)
    np.testing.assert_allclose(given[:, 1:], expected, rtol=1e-3)
    scores = detector.scores_of_series(SERIES)
    np.testing.assert_allclose(given[:, 0], scores, rtol=1e-3)
    assert model.output_shape == (None, 51)
    assert not model.trainable_variables
    # A gap lies on the line between its neighbours.
    gap = SERIES[:1].copy()
    gap[0, 11] = (gap[0, 10] + gap[0, 12]) / 2
    line = np.asarray(model([AVERAGES[:1], gap]))
    gap[0, 11] = np.nan
    filled = np.asarray(model([AVERAGES[:1], gap]))
    np.testing.assert_allclose(filled, line, rtol=1e-4)
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(again([AVERAGES, SERIES]), given)


def test_a_detector_without_windows_has_no_layer():
    with pytest.raises(ValueError, match="fitted first"):
        window_layer(WindowDetector(**vars(fit_detector([AVERAGES]))))
