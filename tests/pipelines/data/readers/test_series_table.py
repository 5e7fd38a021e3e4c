"""Tables of series, long and wide, with gaps, times and faults."""

import numpy as np
import pytest

from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

LONG = """id,t,x,y,label,who
a,0,1,10,up,ann
a,1,2,,up,ann
b,2,5,30,down,bob
b,0,3,10,down,bob
b,1,4,20,down,bob
"""
WIDE = """label;x_0;x_1;y_0;y_1;split
up;1;2;10;20;train
down;3;NaN;30;40;test
"""


def _read(folder, text, options):
    path = folder / "table.csv"
    path.write_text(text)
    return read(DatasetRef.parse(f"csv:{path}?{options}"))


def test_long_table_has_a_row_for_each_step(tmp_path):
    examples = _read(tmp_path, LONG, "series=id&time=t&group=who")
    assert list(examples.names) == ["a", "b"]
    assert examples.class_names == ("down", "up")
    assert list(examples.groups) == ["ann", "bob"]
    values = examples.inputs.values
    np.testing.assert_array_equal(values[1], [[3, 10], [4, 20], [5, 30]])
    np.testing.assert_array_equal(values[0], [[1, 10], [2, np.nan], [np.nan] * 2])
    assert any("'b' were not in order of time" in note for note in examples.notes)


def test_values_choose_the_channels(tmp_path):
    examples = _read(tmp_path, LONG, "series=id&time=t&values=y|x")
    assert examples.inputs.values[1, 0].tolist() == [10, 3]
    without_time = _read(tmp_path, LONG, "series=id&values=x")
    assert without_time.inputs.values[1, :, 0].tolist() == [5, 3, 4]


def test_wide_table_has_a_row_for_each_series(tmp_path):
    examples = _read(tmp_path, WIDE, "values=x_*|y_*")
    values = examples.inputs.values
    np.testing.assert_array_equal(values[0], [[1, 10], [2, 20]])
    np.testing.assert_array_equal(values[1], [[3, 30], [np.nan, 40]])
    split = _read(tmp_path, WIDE, "values=x_*&split=split")
    assert list(split.splits) == ["train", "test"]
    assert split.inputs.values.shape == (2, 2, 1)


def test_series_of_several_labels_may_have_none(tmp_path):
    table = WIDE.replace("up;1", "up|on;1").replace("down;3", ";3")
    path = tmp_path / "tags.csv"
    path.write_text(table)
    options = "values=x_*&label_delimiter=|"
    examples = read(DatasetRef.parse(f"csv:{path}?{options}"), "auto")
    assert examples.class_names == ("on", "up")
    assert examples.labels.tolist() == [[1, 1], [0, 0]]
    with pytest.raises(DataError, match="has empty labels: table.csv, line 3"):
        _read(tmp_path, table, "values=x_*")


def test_weights_of_series_are_no_channel(tmp_path):
    lines = zip(LONG.splitlines(), ["trust", "2", "2", ".5", ".5", ".5"])
    long = "\n".join(f"{line},{trust}" for line, trust in lines)
    examples = _read(tmp_path, long, "series=id&time=t&group=who&weight=trust")
    assert examples.weights.tolist() == [2, 0.5]
    assert examples.inputs.values.shape == (2, 3, 2)
    with pytest.raises(DataError, match="series b in .* several values of weight"):
        _read(tmp_path, f"{long}0", "series=id&time=t&group=who&weight=trust")
    wide = WIDE.replace("split", "trust").replace("train", "3").replace("test", "-1")
    with pytest.raises(DataError, match=r"column trust .* \(-1\)"):
        _read(tmp_path, wide, "values=x_*&weight=trust")


@pytest.mark.parametrize(
    ("times", "is_irregular"),
    [
        ((0, 1, 2), False),
        ((0, 1, 5), True),
        (("2024-05-01T10:00", "2024-05-01T11:00", "2024-05-01T12:00:05Z"), False),
        (("2024-05-01", "2024-05-02", "2024-05-09"), True),
    ],
)
def test_irregular_sampling_is_named(tmp_path, times, is_irregular):
    rows = "".join(
        f"{name},{time},1,{label}\n"
        for name, label in (("a", "up"), ("b", "down"))
        for time in times
    )
    examples = _read(tmp_path, f"id,t,x,label\n{rows}", "series=id&time=t")
    notes = [note for note in examples.notes if "sampled irregularly" in note]
    assert bool(notes) == is_irregular
    assert all(note.startswith("2 of 2 series") for note in notes)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            LONG.replace("a,1,2", "a,0,2"),
            "series=id&time=t&values=x",
            "line 3 has a time that",
        ),
        (LONG.replace("a,1,2,", "a,1,two,"), "series=id&time=t", "line 3: two in the"),
        (LONG, "series=id&time=t&values=z*", "No column of .* is called 'z.'"),
        (LONG, "series=nobody", "has no column 'nobody'"),
        (
            LONG.replace("a,1,2,,up", "a,1,2,,down"),
            "series=id&group=who",
            "several values of lab",
        ),
        (
            LONG.replace("a,1", "a,soon"),
            "series=id&time=t&values=x",
            "neither numbers nor dates",
        ),
        (LONG, "time=t", "time= orders the rows of a series, and goes with series="),
        (LONG.replace("a,1,2,,up,ann", "a,1"), "series=id", "Line 3 .* has 2 cells"),
        (LONG.replace("x,y", "x,x"), "series=id", "two columns of the same name"),
        (
            LONG.replace("down", ""),
            "series=id&group=who",
            "has empty labels: table.csv, line 4",
        ),
        (WIDE, "values=x_*|y_0", r"name \[2, 1\] columns"),
        (WIDE, "values=*", "names the column 'label', which is not a value"),
        (WIDE.split("up")[0], "values=x_*", "and rows below it"),
        (
            WIDE.replace("2;10", "inf;10"),
            "values=x_*",
            "line 2 has a value that is inf",
        ),
        (LONG, "series=id&text=label", "keep one kind"),
    ],
)
def test_faulty_tables_are_refused_by_line(tmp_path, text, options, message):
    with pytest.raises(DataError, match=message):
        _read(tmp_path, text, options)


def test_missing_table_is_named():
    with pytest.raises(DataError, match="There is no file .*gone.csv"):
        read(DatasetRef.parse("csv:gone.csv?series=id"))


def test_options_of_series_are_for_tables():
    with pytest.raises(DataError, match="values= names the columns of the numbers"):
        DatasetRef.parse("npz:x.npz?values=x")
