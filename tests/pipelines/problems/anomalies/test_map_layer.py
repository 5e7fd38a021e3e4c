"""The layer of a detector of places gives its score and map, and saves."""

import keras
import numpy as np
import pytest

from pipelines.features.pooling import Standardize
from pipelines.probing.cells import MapDetector, with_cells
from pipelines.probing.detector import fit_detector
from pipelines.problems.anomalies.map_layer import map_layer

RNG = np.random.default_rng(0)
CELLS = RNG.normal(size=(50, 9, 5)).astype(np.float32) + np.arange(5)
AVERAGES, FLAT = CELLS.mean(axis=1), CELLS.reshape(50, -1)


@pytest.mark.parametrize("method", ["padim", "sum"])
def test_the_graph_gives_score_and_map(method, tmp_path):
    detector = fit_detector([AVERAGES[:40]]).of_method(method)
    detector = with_cells(detector, [AVERAGES[:40]], FLAT[:40], 5)
    features, cells = keras.Input((5,)), keras.Input((45,))
    standardize = Standardize()
    outputs = map_layer(detector)([standardize(features), cells])
    model = keras.Model([features, cells], outputs)
    known = detector.standardization
    standardize.set_weights([known.mean, known.scale])
    given = np.asarray(model([AVERAGES, FLAT]))
    scores = detector.scores_of_cells([AVERAGES], FLAT)
    np.testing.assert_allclose(given[:, 0], scores, rtol=1e-4)
    np.testing.assert_allclose(given[:, 1:], detector.cells.distances(FLAT), rtol=1e-4)
    assert model.output_shape == (None, 10)
    assert not model.trainable_variables
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(again([AVERAGES, FLAT]), given)


def test_a_detector_without_gaussians_has_no_layer():
    fitted = fit_detector([AVERAGES])
    with pytest.raises(ValueError, match="fitted first"):
        map_layer(MapDetector(**vars(fitted)))
