"""The layer of the matrix profile gives its scores by step, and saves."""

import keras
import numpy as np
import pytest

from pipelines.probing.detector import fit_detector
from pipelines.probing.profile import ProfileDetector, with_profile
from pipelines.problems.anomalies.profile_layer import profile_layer

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(20, 40, 2)).cumsum(axis=1).astype(np.float32)
AVERAGES = SERIES.mean(axis=1)


def test_the_graph_gives_score_and_steps(tmp_path):
    detector = fit_detector([AVERAGES]).of_method("matrix_profile")
    detector = with_profile(detector, SERIES[:12])
    features, series = keras.Input((2,)), keras.Input((40, 2))
    model = keras.Model([features, series], profile_layer(detector)([features, series]))
    given = np.asarray(model([AVERAGES, SERIES]))
    expected = detector.profile.by_step(SERIES)
    np.testing.assert_allclose(given[:, 1:], expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        given[:, 0], detector.scores_of_series(SERIES), rtol=1e-3, atol=1e-4
    )
    assert model.output_shape == (None, 41)
    assert not model.trainable_variables
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(again([AVERAGES, SERIES]), given)


def test_a_detector_without_windows_has_no_layer():
    with pytest.raises(ValueError, match="chosen first"):
        profile_layer(ProfileDetector(**vars(fit_detector([AVERAGES]))))
