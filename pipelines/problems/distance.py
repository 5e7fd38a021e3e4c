"""The strangeness of examples by the distance of their features, in the graph."""

from __future__ import annotations

import tensorflow as tf

from pipelines.calibration.feature_space import FeatureSpace
from pipelines.calibration.thresholds import StrangenessThreshold
from pipelines.serving.signatures import feature_distance


def ood_scores(
    distance: StrangenessThreshold | None,
    space: FeatureSpace | None,
    features: tf.Tensor,
) -> tf.Tensor:
    """`distance_scores` of `pipelines.calibration.labels` in the graph, `[batch]`."""
    if distance is None or space is None:
        return tf.zeros_like(features[:, 0])
    return distance.score(feature_distance(space, features))
