"""The formats of the UCR and UEA archives, whole, in pairs, and damaged."""

import numpy as np
import pytest

from pipelines.data.load import read
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

TS = """# a comment
@problemName toy
@timeStamps false
@univariate false
@classLabel true up down
@data
1,2,3:4,5,6:up
3,?,1:6,5,4:down
1,2:4,5:up
"""
ARFF = """@relation toy
@attribute t0 numeric
@attribute t1 numeric
@attribute class {up,down}
@data
1,2,up
2,?,down
"""
RELATIONAL = """@relation toy
@attribute channels relational
@attribute t0 numeric
@attribute t1 numeric
@end channels
@attribute class {up,down}
@data
'1,2\\n3,4',up
'5,6\\n7,8',down
"""


def _read(path):
    return read(DatasetRef.parse(f"{path.suffix[1:]}:{path}"))


def _write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_ts_has_channels_gaps_and_lengths(tmp_path):
    examples = _read(_write(tmp_path, "toy.ts", TS))
    assert examples.class_names == ("down", "up")
    assert examples.labels.tolist() == [1, 0, 1]
    assert examples.splits is None
    values = examples.inputs.values
    assert values.shape == (3, 3, 2)
    np.testing.assert_array_equal(values[0], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(values[1, :, 0], [3, np.nan, 1])
    assert np.isnan(values[2, 2]).all()


def test_pair_of_files_is_read_with_its_splits(tmp_path):
    _write(tmp_path, "toy_TEST.ts", TS)
    examples = _read(_write(tmp_path, "toy_TRAIN.ts", TS.replace("1,2,3", "7,2,3")))
    assert list(examples.splits) == ["train"] * 3 + ["test"] * 3
    assert examples.names[3] == "toy_TEST.ts, series 1"
    assert examples.inputs.values[0, 0, 0] == 7
    other = _read(tmp_path / "toy_TEST.ts")
    np.testing.assert_array_equal(other.inputs.values, examples.inputs.values)


def test_arff_has_a_column_for_each_step(tmp_path):
    examples = _read(_write(tmp_path, "toy.arff", ARFF))
    assert examples.class_names == ("down", "up")
    np.testing.assert_array_equal(examples.inputs.values[0, :, 0], [1, 2])
    np.testing.assert_array_equal(examples.inputs.values[1, :, 0], [2, np.nan])


def test_relational_arff_has_a_row_for_each_channel(tmp_path):
    examples = _read(_write(tmp_path, "toy.arff", RELATIONAL))
    np.testing.assert_array_equal(examples.inputs.values[0], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ts", TS.replace("3,?,1", "3,x,1"), "Line 8 .* is not a series: could not"),
        ("b.ts", TS.replace("1,2:4,5:up", "up"), "Line 9 .* is not a series: expected"),
        ("c.ts", TS.replace("Stamps false", "Stamps true"), "has time stamps .line 3"),
        (
            "d.ts",
            TS.replace("classLabel true up down", "classLabel false"),
            "no labels",
        ),
        ("e.ts", "1,2,3:up\n", "line 1 comes before '@data'"),
        ("f.ts", "@problemName x\n", "it has no line '@data'"),
        ("g.ts", TS.split("1,2,3")[0], "has a header and no series"),
        ("h.ts", TS.replace("4,5,6", "4,inf,6"), "h.ts, series 1 has a value that is"),
        ("i.ts", TS.replace("1,2:4,5:up", "1,2:up"), "i.ts, series 3 has 1 channels"),
        ("a.arff", ARFF.replace("1,2,up", "1,2,left"), "cannot be read as an .arff"),
        ("b.arff", ARFF.replace("{up,down}", "string"), "cannot be read as an .arff"),
        ("c.arff", "@relation x\n@attribute a numeric\n@data\n1\n", "is not a class"),
    ],
)
def test_damaged_files_are_refused_by_line(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        _read(_write(tmp_path, name, text))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="There is no file .*gone.ts"):
        _read(tmp_path / "gone.ts")
