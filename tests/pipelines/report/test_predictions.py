"""A file of predictions: read as it was written, and refused line by line."""

import dataclasses
import json

import pytest

from pipelines.errors import ConfigError
from pipelines.report.predictions import PredictionRow, WorstMistakes, lines, read

ROWS = [
    PredictionRow(
        "validation", "1.jpg", "a", "b", 0.75, True, 0.5, {"b": 0.75, "a": 0.1}
    ),
    PredictionRow("test", "é\udce4/|<b>.jpg", "<i>", "", 0.0, False, 1.5, {"<i>": 0.0}),
]


def _write(path, rows):
    path.write_bytes(b"".join(lines(rows)))
    return path


def test_rows_are_read_as_written(tmp_path):
    path = _write(tmp_path / "predictions.jsonl", ROWS)
    assert list(read(path)) == ROWS
    assert [row.is_right for row in ROWS] == [False, False]
    assert dataclasses.replace(ROWS[0], predicted="a").is_right
    assert path.read_bytes().isascii()  # any tool reads it, whatever the names hold
    assert json.loads(path.read_text().splitlines()[0]) == dataclasses.asdict(ROWS[0])


def test_rows_are_read_one_by_one(tmp_path):
    path = _write(tmp_path / "predictions.jsonl", ROWS)
    path.write_bytes(path.read_bytes() + b"broken\n")
    reading = read(path)
    assert [next(reading), next(reading)] == ROWS
    with pytest.raises(ConfigError, match=r"predictions.jsonl, line 3 .* 'broken'"):
        next(reading)


def test_missing_file_names_itself_and_older_runs(tmp_path):
    with pytest.raises(ConfigError, match=r"predictions.jsonl cannot .* older version"):
        list(read(tmp_path / "predictions.jsonl"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("split", 3),
        ("accepted", 1),
        ("confidence", "0.5"),
        ("confidence", True),
        ("ood_score", None),
        ("ood_score", float("nan")),
        ("probabilities", {}),
        ("probabilities", [0.5]),
        ("probabilities", {"a": None}),
        ("probabilities", {"b": 1.0}),
    ],
)
def test_field_of_another_type_is_refused(tmp_path, field, value):
    good = dataclasses.asdict(ROWS[0])
    path = tmp_path / "predictions.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps({**good, field: value})}\n")
    with pytest.raises(ConfigError, match=rf"line 2 .*{field}"):
        list(read(path))


@pytest.mark.parametrize("line", ["[]", "3", "null", "[" * 9999, "\xff", '{"split": 1'])
def test_line_that_is_no_row_is_refused(tmp_path, line):
    path = tmp_path / "predictions.jsonl"
    path.write_text(f"{line}\n", encoding="latin-1")
    with pytest.raises(ConfigError, match="line 1 is not a row of predictions"):
        list(read(path))


def test_numbers_that_json_lacks_are_not_written():
    row = dataclasses.replace(ROWS[0], ood_score=float("inf"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        list(lines([row]))


def test_worst_mistakes_are_the_most_confident():
    right = dataclasses.replace(ROWS[0], predicted="a", confidence=0.99)
    confidences = [0.5, 0.9, 0.7, 0.9]
    wrong = [
        dataclasses.replace(ROWS[0], example=str(i), confidence=confidence)
        for i, confidence in enumerate(confidences)
    ]
    worst = WorstMistakes(3)
    assert list(worst.watched([right, *wrong])) == [right, *wrong]
    assert [row.example for row in worst.rows] == ["1", "3", "2"]
