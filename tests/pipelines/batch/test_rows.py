"""Rows of an output are JSON, or cells that no spreadsheet computes."""

import csv
import io
import json
from pathlib import Path

import pytest

from pipelines.batch import rows
from pipelines.errors import ConfigError

ROW = {
    "file": "a.png",
    "label": "cat",
    "confidence": 0.75,
    "accepted": True,
    "ood_score": 0.5,
    "prediction_set": ["cat"],
    "valid": True,
    "probabilities": {"cat": 0.75, "dog": 0.25},
}


def test_json_line_holds_all_values():
    assert rows.header(".jsonl", ["file"], ROW) == ""
    line = rows.line_of(".jsonl", ["file"], ROW)
    assert line.endswith("}\n")
    assert json.loads(line) == ROW


def test_table_has_a_column_for_every_class():
    text = rows.header(".csv", ["file"], ROW)
    text += rows.line_of(".csv", ["file"], ROW)
    (cells,) = csv.DictReader(io.StringIO(text), strict=True)
    assert cells["probability:dog"] == "0.25"
    assert json.loads(cells["prediction_set"]) == ["cat"]
    assert cells["valid"] == "True"


def test_tables_of_labels_and_numbers_have_their_columns():
    common = {"file": "a.png", "accepted": True, "ood_score": 0.5, "valid": True}
    labels = {
        **common,
        "labels": ("cat", "dog"),
        "probabilities": {"cat": 0.75, "dog": 0.5},
        "confidence": 0.5,
    }
    numbers = {**common, "values": {"age": 3.5}, "intervals": {"age": (3.0, 4.0)}}
    first, second = (
        next(
            csv.DictReader(
                io.StringIO(
                    rows.header(".csv", ["file"], row)
                    + rows.line_of(".csv", ["file"], row)
                )
            )
        )
        for row in (labels, numbers)
    )
    assert (first["labels"], first["probability:dog"]) == ("cat|dog", "0.5")
    assert [second[f"{column}:age"] for column in ("value", "lower", "upper")] == [
        "3.5",
        "3.0",
        "4.0",
    ]
    assert set(first) & set(second) == set(common)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@here", "'@here"),
        ("-1", "-1"),
        ("+4.5e3", "+4.5e3"),
        ("two\nlines", r"two\nlines"),
    ],
)
def test_cells_are_harmless_to_spreadsheets(name, cell):
    text = rows.line_of(".csv", ["file"], {**ROW, "file": name})
    assert next(csv.reader(io.StringIO(text)))[0] == cell


def test_form_follows_the_ending():
    assert rows.form_of(Path("out.csv"), kind=rows.PREDICTIONS) == ".csv"
    assert rows.form_of(Path("out.jsonl"), kind=rows.FEATURES) == ".jsonl"
    with pytest.raises(ConfigError, match="must end in .jsonl, which says how feat"):
        rows.form_of(Path("out.csv"), kind=rows.FEATURES)
    with pytest.raises(ConfigError, match="must end in .jsonl or .csv"):
        rows.form_of(Path("out.txt"), kind=rows.PREDICTIONS)
