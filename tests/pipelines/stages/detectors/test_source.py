"""A detector that does not fit the data is refused before anything is written."""

import keras
import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.data.splits import ImageArray, Series, Split
from pipelines.errors import ConfigError
from pipelines.probing.detector import fit_detector
from pipelines.stages.detectors.source import require_reads, source_of
from pipelines.stages.outputs import fingerprint
from tests.support.detectors import autoencoder_of, publish

RNG = np.random.default_rng(0)
SERIES = RNG.normal(size=(12, 20, 1)).cumsum(axis=1).astype(np.float32)
IMAGES = ImageArray(np.zeros((4, 32, 32, 3), np.uint8))


def split_of(inputs):
    return Split("train", inputs, np.zeros(len(inputs), np.int64))


def config(place):
    made = RunConfig()
    made.anomaly.transfer = str(place)
    return made


@pytest.fixture(scope="module")
def rocket():
    return zoo.build("series_minirocket", weights=None, input_length=20, channels=1)


@pytest.fixture(scope="module")
def tiny():
    keras.utils.set_random_seed(0)
    return zoo.build("tiny_image", weights=None, input_size_px=32)


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return publish(autoencoder_of(SERIES), tmp_path_factory.mktemp("dense") / "1")


def test_no_name_reads_nothing(rocket):
    assert source_of(rocket, split_of(Series(SERIES)), RunConfig()) is None


def test_series_of_the_same_shape_are_taken(rocket, dense):
    source = source_of(rocket, split_of(Series(SERIES)), config(dense))
    assert source.takes == (20, 1)
    require_reads(source, [("kernels", 1)], "series")


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 20, 2), "series with 1 channels, and the data have 2"),
        ((4, 31, 1), "takes series of 20 steps, and the data have 31"),
    ],
)
def test_other_series_are_refused_by_shape(rocket, dense, shape, message):
    some = split_of(Series(np.zeros(shape, np.float32)))
    with pytest.raises(ConfigError, match=message):
        source_of(rocket, some, config(dense))


def test_convolutions_take_series_of_any_length(rocket, tmp_path):
    detector = autoencoder_of(SERIES, "autoencoder:convolutional:none")
    place = publish(detector, tmp_path / "1")
    some = split_of(Series(np.zeros((4, 31, 1), np.float32)))
    assert source_of(rocket, some, config(place)).takes == (20, 1)


def test_images_do_not_take_series(tiny, dense):
    with pytest.raises(ConfigError, match="takes series, and the data are images"):
        source_of(tiny, split_of(IMAGES), config(dense))


def test_features_of_other_weights_are_refused(tiny, tmp_path):
    known = fit_detector([RNG.normal(size=(20, 5))]).of_method("dfm")
    own = publish(known, tmp_path / "own" / "1", backbone=fingerprint(tiny))
    source = source_of(tiny, split_of(IMAGES), config(own))
    require_reads(source, [("block", 1)], "image")
    with pytest.raises(ConfigError, match=r"reads the blocks \[\('block', 1\)\]"):
        require_reads(source, [("block", 2)], "image")
    other = publish(known, tmp_path / "other" / "1", backbone="others")
    with pytest.raises(ConfigError, match="features of other weights"):
        source_of(tiny, split_of(IMAGES), config(other))


def test_texts_have_no_judge(tmp_path):
    words = zoo.build("tiny_text", weights=None)
    with pytest.raises(ConfigError, match="judged by injected anomalies"):
        source_of(words, split_of(IMAGES), config(tmp_path))
