"""Injected anomalies change a part of an example, and leave the rest as it is."""

import numpy as np
import pytest

from pipelines.stages.detectors.injected import KINDS, cut_paste, defective

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("side", [8, 33, 96])
def test_patches_of_an_image_are_pasted_elsewhere(side):
    images = RNG.integers(0, 256, (30, side, side, 3), np.uint8)
    made = cut_paste(images, seed=1)
    changed = (made != images).any(axis=3).mean(axis=(1, 2))
    assert (changed > 0).mean() > 0.9
    assert changed.max() < 0.2
    np.testing.assert_array_equal(made, cut_paste(images, seed=1))
    for new, old in zip(made, images):
        assert set(map(tuple, new.reshape(-1, 3))) <= set(
            map(tuple, old.reshape(-1, 3))
        )


@pytest.mark.parametrize("steps", [1, 2, 9, 150])
def test_series_of_any_length_get_a_defect(steps):
    series = RNG.normal(size=(40, steps, 2)).astype(np.float32).cumsum(axis=1)
    before = series.copy()
    made = defective(series, seed=0)
    np.testing.assert_array_equal(series, before)
    assert np.isfinite(made).all()
    changed = (made != series).any(axis=2)
    by_kind = [changed[i :: len(KINDS)].mean() for i in range(len(KINDS))]
    assert changed.mean() < 0.35 or steps < 10
    if steps == 150:
        assert min(by_kind) > 0.01
        away = np.abs(made - series).max(axis=(1, 2)) / series.std()
        assert away[0::4].min() > 3.9
        assert away[1::4].max() == pytest.approx(1.5, abs=0.3)
