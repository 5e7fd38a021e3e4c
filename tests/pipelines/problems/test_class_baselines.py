"""What needs no network, beside what a model reached."""

import dataclasses

import numpy as np
import pytest

from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Series, Split
from pipelines.problems import class_baselines as simple
from pipelines.problems.class_baselines import baselines, warn_where_no_better


@pytest.fixture(scope="module")
def splits():
    return load(DatasetRef.parse("builtin:digits?limit=300"))


def _series(splits):
    """Of classes 0, 0, 1; asked about one near each of class 1, 1 and 0."""
    train = np.float32([[0, 0, 9], [0, 1, 9], [5, 5, 5]])[:, :, None]
    test = np.float32([[5, 5, 6], [4, 5, 5], [0, 0, 8]])[:, :, None]
    return dataclasses.replace(
        splits,
        train=Split("train", Series(train), np.array([0, 0, 1])),
        test=Split("test", Series(test), np.array([1, 1, 1])),
    )


def test_images_have_the_commonest_class_of_training(splits):
    (share,) = baselines(splits).values()
    commonest = np.bincount(splits.train.labels).argmax()
    assert share == (splits.test.labels == commonest).mean()
    assert 0 < share < 0.3


def test_series_have_the_nearest_one_too(splits, monkeypatch):
    found = baselines(_series(splits))
    assert found == {
        "commonest_class": 0.0,
        "nearest_series": pytest.approx(2 / 3),
    }
    monkeypatch.setattr(simple, "_MOST_COMPARED", 26)
    assert list(baselines(_series(splits))) == ["commonest_class"]


def test_a_model_that_is_no_better_is_told(caplog):
    warn_where_no_better(0.9, {"commonest_class": 0.5, "nearest_series": 0.9})
    assert not caplog.text
    warn_where_no_better(0.5, {"commonest_class": 0.5})
    assert "right on 50.0% of test, and always saying the commonest" in caplog.text
    caplog.clear()
    warn_where_no_better(0.6, {"commonest_class": 0.5, "nearest_series": 0.91})
    assert "nearest training series is right on 91.0%" in caplog.text
