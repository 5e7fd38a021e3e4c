"""Strangeness in the graph equals that of numpy."""

import numpy as np
import tensorflow as tf

from pipelines.calibration.feature_space import fit_feature_space
from pipelines.calibration.labels import distance_scores
from pipelines.calibration.thresholds import distance_threshold
from pipelines.problems.distance import ood_scores

FEATURES = (np.random.default_rng(0).normal(size=(80, 6)) + 2).astype(np.float32)


def test_graph_and_numpy_find_the_same_examples_strange():
    space = fit_feature_space(FEATURES, np.arange(80) % 2)
    distance, notes = distance_threshold(FEATURES, space, share=0.9)
    assert notes == []
    asked = np.concatenate([FEATURES[:5], -FEATURES[:5]])
    in_graph = ood_scores(distance, space, tf.constant(asked)).numpy()
    np.testing.assert_allclose(
        in_graph, distance_scores(distance, space, asked), rtol=1e-4
    )
    assert (in_graph[5:] > 1).all()
    assert not ood_scores(None, None, tf.constant(asked)).numpy().any()
