"""The kind of labels that data have, as asked for or as it is plain to see."""

import numpy as np
import pytest

from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.data.targets.choice import kind_of
from pipelines.errors import DataError
from tests.support.labelled import in_arrays, in_table


def test_every_kind_is_there_by_name():
    for name in ("single_label", "multi_label", "regression", "ordinal"):
        assert kind_of(name).name == name


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        (["cat", "dog", "cat"], "single_label"),
        (["cat|dog", "dog", "cat|ant", "ant|dog"], "multi_label"),
        (["1", "2", "3"], "single_label"),
        ([str(i / 7) for i in range(40)], "regression"),
        (["a|b", "c|d"], "single_label"),
    ],
)
def test_tables_show_their_kind(tmp_path, labels, problem):
    ref = DatasetRef.parse(in_table(tmp_path, labels))
    examples = read(ref, "auto")
    assert examples.problem == problem
    assert any("config.problem" in note for note in examples.notes) == (
        problem != "single_label"
    )


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (np.arange(6) % 3, "single_label"),
        (np.eye(6, 3, dtype=np.int64), "multi_label"),
        (np.linspace(0, 1, 6), "regression"),
        (np.linspace(0, 1, 12).reshape(6, 2), "regression"),
    ],
)
def test_arrays_show_their_kind(tmp_path, y, problem):
    examples = read(DatasetRef.parse(in_arrays(tmp_path, y)), "auto")
    assert examples.problem == problem
    assert len(examples.labels) == 6


def test_a_kind_that_does_not_fit_is_refused(tmp_path):
    ref = DatasetRef.parse(in_arrays(tmp_path, np.eye(6, 3, dtype=np.int64)))
    with pytest.raises(DataError, match="labels for 'multi_label'.*multi_label"):
        read(ref, "single_label")
    with pytest.raises(DataError, match="Set config.problem='multi_label'"):
        read(ref, "ordinal")
    texts = DatasetRef.parse(in_table(tmp_path, ["cat", "dog", "ant"]))
    with pytest.raises(DataError, match="'cat'.*not a finite.*'single_label' fits"):
        read(texts, "regression")
    with pytest.raises(DataError, match="nothing says their order.*'1_low'"):
        read(texts, "ordinal")
    with pytest.raises(DataError, match="config.problem='single_label' fits"):
        read(texts, "multi_label")
