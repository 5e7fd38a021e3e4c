import numpy as np
import pytest

from pipelines.data.splits import ImageArray, Series
from pipelines.errors import ConfigError
from pipelines.methods.few_shot.features import FeatureSource, Source


def source(inputs, **fields):
    return FeatureSource(Source("tiny_image", weights="none", **fields), inputs)


def test_blocks_are_averaged_side_by_side(some):
    inputs = ImageArray(some[0])
    every, last = (source(inputs, reads=reads) for reads in ("all", "last"))
    assert every.blocks[-1:] == last.blocks
    assert every.fingerprint == last.fingerprint
    features, of_last = every.read(inputs), last.read(inputs)
    assert features.dtype == np.float16
    np.testing.assert_allclose(
        features[:, -of_last.shape[1] :], of_last, rtol=2e-3, atol=1e-3
    )


def test_settings_that_cannot_be_are_refused(some):
    with pytest.raises(ConfigError, match="reads is 'first'; allowed: last, all"):
        source(ImageArray(some[0]), reads="first")
    series = Series(np.zeros((2, 30, 1), np.float32))
    with pytest.raises(ConfigError, match="takes images"):
        source(series)
    with pytest.raises(ConfigError, match="fitted to all training data"):
        FeatureSource(Source("series_minirocket"), series)
