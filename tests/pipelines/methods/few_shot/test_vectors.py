import keras
import numpy as np

from pipelines.methods.few_shot.vectors import normalization

FEATURES = np.random.default_rng(0).normal(3, 2, (50, 6)).astype(np.float32)


def test_rows_have_length_one_around_the_mean():
    rows = normalization(FEATURES, scaled=True)(FEATURES)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1)
    plain = (FEATURES - FEATURES.mean(axis=0)) / FEATURES.std(axis=0)
    expected = keras.layers.UnitNormalization()(plain)
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_zeros_and_constant_features_stay_finite():
    constant = FEATURES.copy()
    constant[:, 0] = 1.0
    normalize = normalization(constant, scaled=True)
    assert np.isfinite(normalize(constant)).all()
    assert (normalize(normalize.mean[None]) == 0).all()


def test_scale_is_one_unless_asked():
    assert (normalization(FEATURES, scaled=False).scale == 1).all()
