"""One class for each example, as before there were other kinds."""

import numpy as np
import pytest

from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support.labelled import in_arrays


def test_one_class_alone_is_refused(tmp_path):
    ref = DatasetRef.parse(in_arrays(tmp_path, np.zeros(9, np.int64)))
    with pytest.raises(DataError, match="has 1 class .*at least two"):
        check_and_split(read(ref), ref)


def test_a_declared_class_without_examples_is_refused(tmp_path):
    y = np.arange(9) % 2
    ref = DatasetRef.parse(in_arrays(tmp_path, y, class_names=["a", "b", "c"]))
    with pytest.raises(DataError, match="Class 'c' has no image"):
        check_and_split(read(ref), ref)
