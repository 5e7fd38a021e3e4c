"""Wines in a table."""

from pipelines.data.demo.table import TABLE
from pipelines.data.load import read
from pipelines.data.reference import DatasetRef


def test_wines_have_measures_and_growers(tmp_path):
    files = tuple(file.obtain() for file in TABLE.files)
    counts = TABLE.write(files, tmp_path, 50)
    assert counts == {"grower 1": 50, "grower 2": 50, "grower 3": 48}
    ref = DatasetRef("csv", f"{tmp_path}/wines.csv", **TABLE.options)
    examples = read(ref)
    assert examples.inputs.values.shape == (148, 13)
    assert examples.class_names == ("grower 1", "grower 2", "grower 3")
    assert all(column.is_number for column in examples.inputs.columns)
