"""Numbers as labels: values that are refused, and splits by range."""

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support.labelled import in_arrays, in_table


def split(folder, y, **more):
    ref = DatasetRef.parse(in_arrays(folder, y, **more))
    return check_and_split(read(ref, "regression"), ref)


def test_numbers_of_a_table_are_read_as_numbers(tmp_path):
    ref = DatasetRef.parse(in_table(tmp_path, ["1.5", "-2", "3e1", "0"]))
    examples = read(ref, "regression")
    assert examples.labels.tolist() == [[1.5], [-2.0], [30.0], [0.0]]


@pytest.mark.parametrize("text", ["nan", "inf", "three", "1,5"])
def test_texts_that_are_no_number_are_named(tmp_path, text):
    labels = ["1.5", text, "2", "3"]
    ref = DatasetRef.parse(in_table(tmp_path, labels))
    with pytest.raises(DataError, match=f"line 3 has the label '{text}'") as error:
        read(ref, "regression")
    assert ("decimal point" in str(error.value)) == ("," in text)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_and_infinite_numbers_are_refused(tmp_path, value):
    y = np.linspace(0, 1, 40)
    y[7] = value
    with pytest.raises(DataError, match="image 7 has the 'target'.*1 examples"):
        split(tmp_path, y)


def test_constant_targets_are_refused(tmp_path):
    y = np.stack([np.linspace(0, 1, 40), np.full(40, 2.5)], axis=1)
    with pytest.raises(DataError, match=r"'depth' \(2.5\) is the same for all 40"):
        split(tmp_path, y, class_names=["width", "depth"])


def test_an_outlier_of_a_billion_is_named(tmp_path):
    y = np.linspace(0, 1, 40)
    assert len(split(tmp_path, y).train) == 28
    y[11] = 1e9
    with pytest.raises(DataError, match="image 11 has the 'target' 1e\\+09.*rule"):
        split(tmp_path, y)


def test_a_rare_amount_among_zeros_is_no_outlier(tmp_path):
    y = np.zeros(200)
    y[::10] = np.linspace(1, 9, 20)
    assert len(split(tmp_path, y).train) > 100


def test_splits_cover_the_whole_range(tmp_path):
    y = np.random.default_rng(0).exponential(size=400)
    parts = split(tmp_path, y)
    middle = np.median(y)
    for part in (parts.train, parts.validation, parts.test):
        assert abs((part.labels > middle).mean() - 0.5) < 0.06
    assert [len(parts.validation), len(parts.test)] == [60, 60]
