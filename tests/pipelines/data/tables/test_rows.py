"""Rows of tables, as clients send them."""

import numpy as np

from pipelines.data.splits import Table
from pipelines.data.tables.rows import as_sent, row_of
from zoo.spec import Column

TABLE = Table(
    (Column("my age"), Column("job", ("cook", "pilot"))),
    np.array([[39, 2], [np.nan, np.nan], [1, 0]], np.float32),
)


def test_row_has_names_and_gaps():
    assert row_of(TABLE, 0) == {"my age": 39.0, "job": "pilot"}
    assert row_of(TABLE, 1) == {"my age": None, "job": None}
    assert row_of(TABLE, 2)["job"] not in TABLE.columns[1].categories


def test_columns_are_sent_under_names_of_inputs():
    sent = as_sent(TABLE)
    np.testing.assert_array_equal(sent["my_age"], [39, np.nan, 1])
    assert sent["job"].tolist() == [b"pilot", b"", b"other than pilot"]
