"""Labels that come as numbers in an array."""

import numpy as np
import pytest

from pipelines.data.targets.arrays import number_labels
from pipelines.errors import DataError


def labels_of(y, names=None, problem="auto"):
    return number_labels(np.asarray(y), names, where="a.npz", problem=problem)


def test_classes_are_left_to_others():
    assert labels_of([0, 1, 2]) is None
    assert labels_of(["a", "b"]) is None


def test_columns_get_the_declared_names():
    made = labels_of([[0, 1], [1, 1], [1, 0]], ("cat", "dog"))
    assert (made.problem, made.names) == ("multi_label", ("cat", "dog"))
    assert made.labels.dtype == np.float32
    assert labels_of([[0.5, 1], [1, 2]]).names == ("target_0", "target_1")
    with pytest.raises(DataError, match="has 1 names, and y has 2 columns"):
        labels_of([[0, 1], [1, 1]], ("cat",))


def test_whole_zeros_and_ones_are_no_numbers():
    with pytest.raises(DataError, match="and whole numbers of 0 and 1.*astype"):
        labels_of([[0, 1], [1, 1]], problem="regression")


def test_zeros_and_ones_may_be_numbers():
    assert labels_of([[0.0, 1.0], [1.0, 0.0]], problem="regression").problem == (
        "regression"
    )


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([[0, 2], [1, 1]], "whole numbers other than 0 and 1.*astype"),
        ([0.0, 1.0, 2.0], "astype\\('int64'\\).*config.problem='regression'"),
        (np.zeros((2, 2, 2)), "it is \\[n\\], or \\[n, k\\]"),
    ],
)
def test_other_arrays_are_refused_with_advice(y, sentence):
    with pytest.raises(DataError, match=sentence):
        labels_of(y)
