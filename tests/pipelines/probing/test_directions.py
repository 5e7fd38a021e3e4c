"""Directions of features: standardized, of length 1, and at most 64."""

import numpy as np
import pytest

from pipelines.probing.directions import main_directions


@pytest.mark.parametrize(("shape", "count"), [((100, 80), 64), ((5, 80), 5)])
def test_directions_are_at_most_what_there_is(shape, count):
    features = np.random.default_rng(0).normal(size=shape)
    reduced = main_directions(features, seed=0)
    assert (reduced.shape, reduced.dtype) == ((shape[0], count), np.float32)


def test_scale_of_a_feature_does_not_count():
    features = np.random.default_rng(0).normal(size=(40, 8))
    scaled = features * np.array([1e3] + [1.0] * 7) + 5
    one, other = (main_directions(x, seed=0) for x in (features, scaled))
    np.testing.assert_allclose(np.abs(one), np.abs(other), atol=1e-3)


def test_features_that_never_change_are_finite():
    assert np.isfinite(main_directions(np.ones((6, 4)), seed=0)).all()
