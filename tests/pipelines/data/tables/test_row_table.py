"""Tables whose rows are the examples, from csv and parquet."""

import numpy as np
import pytest

from pipelines.data.load import load, read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from zoo.spec import Column

HEADER = "age,job,label"


@pytest.fixture
def table(tmp_path):
    """Writes a table, and gives the reference of its columns."""

    def write(*rows, header=HEADER, options="columns=*"):
        path = tmp_path / "people.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return DatasetRef.parse(f"csv:{path}?{options}")

    return write


def test_all_columns_but_the_label_are_read(table):
    examples = read(table("39,cook,yes", "40,pilot,no", "41,cook,yes"))
    assert [c.name for c in examples.inputs.columns] == ["age", "job"]
    assert examples.class_names == ("no", "yes")
    assert examples.names[0] == "people.csv, line 2"
    assert any("read as a table of age" in note for note in examples.notes)


def test_named_columns_are_read_in_order(table):
    ref = table("1,a,2,x", "2,b,3,y", header="a1,b,a2,label", options="columns=b,a*")
    assert [c.name for c in read(ref).inputs.columns] == ["b", "a1", "a2"]


def test_index_without_a_name_is_left(table):
    examples = read(table("0,39,x", "1,40,y", header=",age,label"))
    assert [c.name for c in examples.inputs.columns] == ["age"]
    assert any("without a name" in note for note in examples.notes)


def test_column_that_is_missing_is_named(table):
    with pytest.raises(DataError, match="is called 'wage'"):
        read(table("39,cook,yes", "40,pilot,no", options="columns=age,wage"))


def test_label_among_columns_is_refused(table):
    with pytest.raises(DataError, match="'label', which is the label"):
        read(table("39,cook,yes", "40,pilot,no", options="columns=age,label"))


def test_missing_label_column_is_named(table):
    with pytest.raises(DataError, match="no column 'label'.*label=COLUMN"):
        read(table("39,cook", "40,pilot", header="age,job"))


def test_empty_labels_name_their_lines(table):
    with pytest.raises(DataError, match="empty labels: people.csv, line 3"):
        read(table("39,cook,yes", "40,pilot,"))


def test_doubled_names_are_refused(table):
    with pytest.raises(DataError, match="two columns of the same name"):
        read(table("1,2,x", "2,3,y", header="a,a,label"))


def test_one_row_is_refused(table):
    with pytest.raises(DataError):
        load(table("39,cook,yes"))


def test_numbers_to_predict_are_amounts(table):
    rows = [f"{i},{'ab'[i % 2]},{i / 7:.3f}" for i in range(30)]
    examples = read(table(*rows), problem="regression")
    assert examples.labels.shape == (30, 1)


def test_lists_of_labels_are_read(table):
    rows = ["1,a,x|y", "2,b,", "3,a,y"]
    examples = read(table(*rows, options="columns=*&label_delimiter=|"), "multi_label")
    assert examples.labels.tolist() == [[1, 1], [0, 0], [0, 1]]


def test_known_columns_are_read_as_they_are(table):
    columns = (Column("job", ("pilot",)), Column("age"))
    examples = read(
        table("39,cook,yes", "39,pilot,no", options="label=label"), columns=columns
    )
    assert examples.inputs.values.tolist() == [[0, 39], [1, 39]]


def test_splits_and_weights_have_columns(table):
    ref = table(
        "1,train,2,x",
        "2,test,1,y",
        header="a,part,count,label",
        options="columns=*&split=part&weight=count",
    )
    examples = read(ref)
    assert [c.name for c in examples.inputs.columns] == ["a"]
    assert list(examples.splits) == ["train", "test"]
    assert examples.weights.tolist() == [2.0, 1.0]


def test_parquet_is_the_same_table(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "people.parquet"
    columns = {"age": [39, None], "job": ["cook", "pilot"], "label": [1, 2]}
    parquet.write_table(pyarrow.table(columns), path)
    examples = read(DatasetRef.parse(f"parquet:{path}"))
    np.testing.assert_array_equal(examples.inputs.values, [[39, 1], [np.nan, 2]])
    assert examples.class_names == ("1", "2")


def test_rows_without_a_value_are_refused_or_left(table):
    rows = ("39,cook,yes", ",?,no", "40,pilot,no")
    with pytest.raises(DataError, match=r"without a value: people.csv, line 3\."):
        read(table(*rows))
    examples = read(table(*rows, options="columns=*&on_bad=skip"))
    assert len(examples) == 2
    assert examples.skipped == (("people.csv, line 3", "every value is missing"),)
