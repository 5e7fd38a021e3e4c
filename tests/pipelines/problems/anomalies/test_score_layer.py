"""The layer of a detector gives what the detector gives, and saves."""

import dataclasses

import keras
import numpy as np
import pytest

from pipelines.features.pooling import Standardize
from pipelines.probing.detector import METHODS, fit_detector
from pipelines.problems.anomalies.score_layer import score_layer

RNG = np.random.default_rng(0)
NORMAL = (3 + RNG.normal(size=(60, 4)) @ RNG.normal(size=(4, 12))).astype(np.float32)
NORMAL += 0.1 * RNG.normal(size=NORMAL.shape).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_the_graph_gives_scores_of_the_detector(method, tmp_path):
    detector = dataclasses.replace(fit_detector([NORMAL]), method=method)
    standardize, layer = Standardize(), score_layer(detector, method)
    inputs = keras.Input((12,))
    model = keras.Model(inputs, layer(standardize(inputs)))
    known = detector.standardization
    standardize.set_weights([known.mean, known.scale])
    new = np.concatenate([NORMAL[:5], NORMAL[:20] + RNG.normal(size=(20, 12))])
    new = new.astype(np.float32)
    expected = detector.scores([new])
    np.testing.assert_allclose(model(new)[:, 0], expected, rtol=1e-3, atol=1e-4)
    assert model.output_shape == (None, 1)
    assert not model.trainable_variables
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(again(new), model(new))
