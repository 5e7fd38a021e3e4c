"""A frozen base, and one that is fitted to the training split."""

import numpy as np

from pipelines.config import RunConfig
from pipelines.data.splits import Series, Split
from pipelines.stages.base import fit_base, freeze_base
from pipelines.stages.obtain import obtain
from tests.support.tiny_stages import IMAGES, tiny_config

WAVES = Series(np.random.default_rng(0).normal(size=(6, 20, 1)).astype(np.float32))
TRAIN = Split("train", WAVES, np.arange(6) % 2)


def test_a_frozen_base_has_nothing_to_train():
    base = freeze_base(obtain(tiny_config(), IMAGES))
    assert base.model.trainable_variables == []
    assert len(base.model.weights) > 0


def test_default_of_series_is_fitted_once():
    obtained = obtain(RunConfig(data="npz:x.npz"), WAVES)
    assert obtained.spec.name == "series_minirocket"
    fitted = fit_base(obtained, TRAIN, seed=0)
    assert fitted.weights == "fitted"
    before = fitted.model.get_weights()
    again = fit_base(fitted, TRAIN.take([0, 1]), seed=1)
    assert again is fitted
    for first, second in zip(before, again.model.get_weights()):
        np.testing.assert_array_equal(first, second)


def test_trained_networks_are_not_fitted():
    config = RunConfig(data="npz:x.npz", backbone="tiny_series", weights="none")
    base = obtain(config, WAVES)
    assert fit_base(base, TRAIN, seed=0) is base
