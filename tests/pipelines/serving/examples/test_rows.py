"""Rows of tables from callers: values by the names of columns."""

import math

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.serving.examples.rows import stacked, table_row, why_no_row

COLUMNS = (("my_age", "float32"), ("job", "string"))


def test_names_are_of_columns_or_inputs():
    expected = {"my_age": 39.0, "job": b"cook"}
    assert table_row({"my age": 39, "job": "cook", "more": 1}, COLUMNS) == expected
    assert table_row({"my_age": np.float32(39), "job": b"cook"}, COLUMNS) == expected


def test_none_is_a_missing_value():
    row = table_row({"my age": None, "job": None}, COLUMNS)
    assert math.isnan(row["my_age"])
    assert row["job"] == b""
    assert why_no_row(row) == "every value of the row is missing"


@pytest.mark.parametrize(
    ("value", "text"), [(7, b"7"), (7.0, b"7"), (7.5, b"7.5"), (True, b"true")]
)
def test_numbers_are_categories_as_tables_write_them(value, text):
    assert table_row({"my age": 1, "job": value}, COLUMNS)["job"] == text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1, 2], "A list came where a row of a table is expected"),
        ({"job": "cook"}, "A row lacks 'my_age' of the 2 columns"),
        ({"my age": "1", "job": "cook"}, "'my_age' takes numbers; '1' came, a str"),
        ({"my age": True, "job": "cook"}, "'my_age' takes numbers"),
        ({"my age": 1e39, "job": "cook"}, "beyond float32"),
        ({"my age": 1, "job": {}}, "'job' takes texts; a dict came"),
    ],
)
def test_other_rows_are_refused_by_name(row, message):
    with pytest.raises(DataError, match=message):
        table_row(row, COLUMNS)


def test_infinite_value_is_named():
    assert why_no_row({"a": 1.0, "b": -math.inf}) == "the value of 'b' is infinite"


def test_rows_become_columns_of_arrays():
    rows = [{"my_age": 1.0, "job": b"a"}, {"my_age": math.nan, "job": b""}]
    made = stacked(rows, COLUMNS)
    assert made["my_age"].dtype == np.float32
    assert made["job"].tolist() == [b"a", b""]
