"""The fit takes everything from the training series, and repeats itself."""

import itertools

import numpy as np
import pytest

import zoo
from zoo.errors import BackboneError

STEPS = 40


def _series(count=12, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    waves = np.cumsum(rng.normal(size=(count, STEPS, channels)), axis=1)
    return waves.astype(np.float32)


def _fitted(series, *, seed=0):
    steps, channels = series.shape[1:]
    base = zoo.build("series_minirocket", input_length=steps, channels=channels)
    return zoo.fit(base, series, seed=seed)


def _weights(backbone):
    return {weight.path: np.asarray(weight) for weight in backbone.model.weights}


def test_nothing_is_fitted_when_it_is_built():
    base = zoo.build("series_minirocket", input_length=STEPS)
    assert base.weights == "unfitted"
    assert base.model.count_params() == base.spec.parameters
    assert not base.model.trainable_variables
    assert _fitted(_series()).weights == "fitted"


@pytest.mark.parametrize("channels", [1, 3])
def test_fit_repeats_itself_by_the_seed(channels):
    series = _series(channels=channels)
    first, again, other = (_weights(_fitted(series, seed=seed)) for seed in (1, 1, 2))
    for path, values in first.items():
        np.testing.assert_array_equal(values, again[path])
    path = next(path for path in first if path.endswith("thresholds"))
    assert (first[path] != other[path]).mean() > 0.9


def test_thresholds_are_quantiles_of_training_sums():
    """So on the series that it was fitted to, shares fill the range evenly."""
    series = _series(count=60)
    features = np.asarray(_fitted(series).model(series))
    means = features.mean(axis=0)
    assert means.mean() == pytest.approx(0.5, abs=0.05)
    assert np.quantile(means, 0.9) > 0.7
    assert np.quantile(means, 0.1) < 0.3


def test_unit_and_offset_change_nothing():
    series = _series()
    plain = np.asarray(_fitted(series).model(series))
    moved = 1024 * series - 4096
    np.testing.assert_array_equal(np.asarray(_fitted(moved).model(moved)), plain)


def test_large_channel_does_not_drown_another():
    series = _series(channels=2)
    scaled = series * np.float32([1, 2**20])
    first, other = (np.asarray(_fitted(s).model(s)) for s in (series, scaled))
    np.testing.assert_array_equal(first, other)


def test_combinations_take_few_channels_of_many():
    kept = _weights(_fitted(_series(channels=30)))
    used = next(v for k, v in kept.items() if k.endswith("combinations"))
    sizes = used.sum(axis=1)
    assert set(np.unique(used)) == {0.0, 1.0}
    assert sizes.min() == 1
    assert sizes.max() <= 9
    assert used.sum(axis=0).min() > 0


def test_gaps_and_padding_are_read():
    series = _series(count=30)
    series[:, 30:] = np.where(np.arange(30)[:, None, None] % 2, np.nan, series[:, 30:])
    series[3, 5:9] = np.nan
    features = np.asarray(_fitted(series).model(series))
    assert np.isfinite(features).all()


@pytest.mark.parametrize(
    "series",
    [
        np.ones((3, STEPS, 1), np.float32),
        np.where(np.arange(STEPS)[:, None] > 20, np.float32(1e30), 0)[None],
        np.full((2, 9, 1), 1e-30, np.float32),
    ],
    ids=["constant", "enormous", "minute"],
)
def test_odd_series_give_features_that_are_finite(series):
    features = np.asarray(_fitted(series).model(series))
    assert np.isfinite(features).all()


def test_series_without_a_value_are_refused():
    with pytest.raises(BackboneError, match="No value of the training series is a fin"):
        _fitted(np.full((2, STEPS, 1), np.nan, np.float32))


def test_fit_refuses_what_it_was_not_built_for():
    base = zoo.build("series_minirocket", input_length=STEPS)
    with pytest.raises(BackboneError, match=r"shape \(40, 1\), and 12 of shape"):
        zoo.fit(base, _series(channels=2))
    with pytest.raises(BackboneError, match="and 0 of shape"):
        zoo.fit(base, _series()[:0])
    trained = zoo.build("series_gru", weights=None, input_length=STEPS)
    with pytest.raises(BackboneError, match="series_gru is trained, not fitted"):
        zoo.fit(trained, _series())


@pytest.mark.parametrize("steps", [1, 8, 1_000_000])
def test_lengths_beyond_the_kernels_are_refused(steps):
    with pytest.raises(BackboneError, match=f"cannot take series of {steps:,} steps"):
        zoo.build("series_minirocket", input_length=steps)


def test_classes_of_waves_lie_apart():
    """Features of one class lie closer to each other than to those of the other."""
    rng = np.random.default_rng(0)
    phase = rng.uniform(0, 6, (20, 1))
    rate = np.where(np.arange(20) % 2, 0.9, 0.5)[:, None]
    waves = np.sin(rate * np.arange(STEPS) + phase)[..., None].astype(np.float32)
    features = np.asarray(_fitted(waves).model(waves))
    own, other = [], []
    for i, j in itertools.combinations(range(20), 2):
        pair = own if i % 2 == j % 2 else other
        pair.append(np.linalg.norm(features[i] - features[j]))
    assert max(own) < min(other)
