"""Detectors of places are refused by name where there are none."""

import numpy as np
import pytest

import zoo
from pipelines.config import RunConfig
from pipelines.data.splits import ImageArray, Series, Split
from pipelines.errors import ConfigError
from pipelines.problems.registry import make
from pipelines.serving.naming import ANOMALY_KINDS
from pipelines.stages.detectors.places import cells_read, series_read

PROBLEM = make("anomaly", ANOMALY_KINDS, np.zeros(4, np.int64))


def split_of(inputs):
    return Split("train", inputs, np.zeros(len(inputs), np.int64))


def config(method):
    made = RunConfig()
    made.anomaly.method = method
    return made


@pytest.fixture(scope="module")
def rocket():
    return zoo.build("series_minirocket", weights=None, input_length=40, channels=1)


def test_series_have_steps_and_no_cells(rocket):
    values = np.float32([[[1], [np.nan], [3]] * 8]).repeat(4, axis=0)
    some = split_of(Series(values))
    for method in ("autoencoder", "windows", "matrix_profile"):
        series = series_read(rocket, some, PROBLEM, config(method))
        assert series[0, :3, 0].tolist() == [1, 2, 3]
    for method in ("auto", "pca"):
        assert series_read(rocket, some, PROBLEM, config(method)) is None
    assert cells_read(rocket, PROBLEM, config("auto")) == {}
    with pytest.raises(ConfigError, match="gives no square maps"):
        cells_read(rocket, PROBLEM, config("padim"))


@pytest.mark.parametrize(
    "inputs",
    [Series(np.zeros((4, 5, 1), np.float32)), ImageArray(np.zeros((4, 8, 8, 3), "u1"))],
)
def test_windows_need_series_of_some_length(rocket, inputs):
    with pytest.raises(ConfigError, match="8 to 20000 steps"):
        series_read(rocket, split_of(inputs), PROBLEM, config("windows"))
    assert series_read(rocket, split_of(inputs), PROBLEM, config("auto")) is None
