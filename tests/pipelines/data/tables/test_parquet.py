"""Files of Apache Parquet, and what is no such file."""

import datetime

import numpy as np
import pytest

from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.data.tables.parquet import load_parquet
from pipelines.errors import DataError

pyarrow = pytest.importorskip("pyarrow")


@pytest.fixture
def saved(tmp_path):
    """Writes columns, and gives the path."""
    from pyarrow import parquet

    def save(**columns):
        path = tmp_path / "table.parquet"
        parquet.write_table(pyarrow.table(columns), path)
        return path

    return save


def test_kinds_of_columns_are_kept(saved):
    texts = pyarrow.array(["a", None]).dictionary_encode()
    path = saved(x=[1.5, None], flag=[True, None], kind=texts)
    _, columns, rows = load_parquet(str(path))
    np.testing.assert_array_equal(columns["x"], [1.5, np.nan])
    assert (columns["flag"], columns["kind"], rows) == (["true", ""], ["a", ""], 2)


def test_dates_are_refused(saved):
    path = saved(day=[datetime.date(2024, 1, day) for day in (1, 2)], label=["a", "b"])
    with pytest.raises(DataError, match="column 'day' holds dates"):
        read(DatasetRef.parse(f"parquet:{path}"))


def test_lists_are_refused_by_name(saved):
    with pytest.raises(DataError, match="column 'x'.*holds list"):
        load_parquet(str(saved(x=[[1], [2]])))


def test_too_many_values_are_refused(saved):
    with pytest.raises(DataError, match="more than 3 values"):
        load_parquet(str(saved(x=[1, 2], y=[1, 2])), most=3)


@pytest.mark.parametrize("content", [b"", b"no parquet at all"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load_parquet(str(path))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        load_parquet(str(tmp_path / "none.parquet"))
