"""Columns of tables: their kinds, and every cell that is refused by name."""

import numpy as np
import pytest

from pipelines.data.tables.columns import (
    MISSING_WORDS,
    codes,
    numbers,
    read_columns,
    read_known,
)
from pipelines.errors import DataError
from zoo.graph import columns as graph
from zoo.spec import Column


def where(row):
    return f"line {row + 2}"


def read(**cells):
    return read_columns(cells, where, of="people.csv")


def test_numbers_and_categories_are_told_apart():
    made = read(age=["39", "", "41.5"], job=["cook", " pilot ", "?"])
    assert made.table.columns == (Column("age"), Column("job", ("cook", "pilot")))
    np.testing.assert_array_equal(
        made.table.values, [[39, 1], [np.nan, 2], [41.5, np.nan]]
    )
    assert "age (numbers), job (2 categories)" in made.notes[0]


@pytest.mark.parametrize("word", MISSING_WORDS)
def test_words_of_missing_values_are_missing(word):
    values = numbers("a", ["1", word.upper()], where)
    np.testing.assert_array_equal(values, [1, np.nan])


def test_missing_words_are_those_of_artifacts():
    assert MISSING_WORDS == graph.MISSING_WORDS


def test_decimal_commas_are_read_and_noted():
    made = read(price=["1,5", "2", "3,25"])
    assert made.table.values[:, 0].tolist() == [1.5, 2.0, 3.25]
    assert "decimal commas" in made.notes[1]


def test_commas_between_thousands_are_refused():
    with pytest.raises(DataError, match="line 2: the column 'price'.*thousands"):
        read(price=["1,234", "999"])


@pytest.mark.parametrize(
    "cells",
    [["2024-01-31", "2024-02-01"], ["31.12.2023", ""], ["2024-01-31T10:00:00Z", "?"]],
)
def test_dates_are_refused_by_name(cells):
    with pytest.raises(DataError, match="column 'day' holds dates, such as"):
        read(day=cells, x=["1", "2"])


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e39"])
def test_infinite_numbers_name_their_line(cell):
    with pytest.raises(DataError, match="line 3: the column 'x' has .*infinite"):
        read(x=["1", cell])


def test_infinity_in_an_array_is_refused():
    with pytest.raises(DataError, match="line 3: the column 'x'"):
        read(x=np.array([1.0, np.inf]))


def test_columns_that_say_nothing_are_left():
    made = read(x=["1", "2"], empty=["", "?"], same=["a", "a"], one=["3", "3"])
    assert [column.name for column in made.table.columns] == ["x"]
    assert (
        "empty (every value is missing), same (always a), one (always 3)"
        in (made.notes[-1])
    )


def test_names_of_rows_are_left():
    rows = 30
    made = read(x=list(map(str, range(rows))), id=[f"id{i}" for i in range(rows)])
    assert "id (another value in each row)" in made.notes[-1]


def test_table_without_a_column_is_refused():
    with pytest.raises(DataError, match="no column to learn from: same"):
        read(same=["a", "a"])


def test_many_categories_keep_the_most_frequent():
    cells = [f"c{i:05}" for i in range(10_000)] + ["often"] * 3
    made = read(kind=cells)
    assert len(made.table.columns[0].categories) == 1000
    assert "10,001 categories; the 1,000 most frequent" in made.notes[1]
    assert made.table.values[-1, 0] > 0
    assert made.table.values[9_999, 0] == 0


def test_numbers_with_a_strange_cell_are_noted():
    made = read(x=[*map(str, range(20)), "many", "many"] * 2)
    assert "because of 'many' in line 22" in made.notes[1]


def test_names_that_look_alike_are_refused():
    with pytest.raises(DataError, match="'a b' and 'a-b'.*'a_b'"):
        read(**{"a b": ["1", "2"], "a-b": ["1", "2"]})


def test_name_without_letters_is_refused():
    with pytest.raises(DataError, match="no Latin letter"):
        read(**{"年": ["1", "2"]})


def test_new_categories_are_unknown():
    column = Column("job", ("cook", "pilot"))
    found = codes(column, ["pilot", "astronaut", ""])
    np.testing.assert_array_equal(found, [2, 0, np.nan])


def test_known_columns_need_not_vary():
    columns = (Column("job", ("cook", "pilot")), Column("age"), Column("zip", ("7",)))
    cells = {"age": ["39"], "job": ["pilot"], "zip": np.array([7.0]), "more": ["x"]}
    made = read_known(cells, columns, where, of="new.csv")
    assert made.table.values.tolist() == [[2.0, 39.0, 1.0]]


def test_missing_columns_are_named():
    columns = (Column("age"), Column("job", ("cook",)))
    with pytest.raises(DataError, match="lacks 1 of the 2 columns.*: job"):
        read_known({"age": ["1"]}, columns, where, of="new.csv")


def test_text_in_a_column_of_numbers_is_refused():
    with pytest.raises(DataError, match="line 2: 'old' in the column 'age'"):
        read_known({"age": ["old"]}, (Column("age"),), where, of="new.csv")
