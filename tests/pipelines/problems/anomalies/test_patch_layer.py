"""The layer of a detector of patches gives its score and map, and saves."""

import keras
import numpy as np
import pytest

from pipelines.probing.detector import fit_detector
from pipelines.probing.patches import PatchDetector, with_patches
from pipelines.problems.anomalies.patch_layer import patch_layer

RNG = np.random.default_rng(0)
CELLS = RNG.normal(size=(30, 16 * 5)).astype(np.float32) + 3
AVERAGES = CELLS.reshape(30, 16, 5).mean(axis=1)


def test_the_graph_gives_score_and_map(tmp_path):
    detector = with_patches(fit_detector([AVERAGES[:20]]), CELLS[:20], 5)
    features, cells = keras.Input((5,)), keras.Input((80,))
    model = keras.Model([features, cells], patch_layer(detector)([features, cells]))
    answers = np.asarray(model([AVERAGES, CELLS]))
    known = detector.bank.distances(CELLS)
    np.testing.assert_allclose(answers[:, 1:], known, rtol=1e-3, atol=1e-3)
    scores = detector.scores_of_cells(CELLS)
    np.testing.assert_allclose(answers[:, 0], scores, rtol=1e-3, atol=1e-3)
    assert model.output_shape == (None, 17)
    assert not model.trainable_variables
    model.save(tmp_path / "detector.keras")
    again = keras.models.load_model(tmp_path / "detector.keras")
    np.testing.assert_array_equal(again([AVERAGES, CELLS]), answers)


def test_a_detector_without_patches_has_no_layer():
    with pytest.raises(ValueError, match="chosen first"):
        patch_layer(PatchDetector(**vars(fit_detector([AVERAGES]))))
