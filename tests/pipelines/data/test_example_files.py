"""A file is one example of its modality; tables are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.data.example_files import parse_example
from pipelines.errors import DataError


@pytest.mark.parametrize(
    "text",
    [
        "1.5,2\n-3,4e1\n",
        "1.5, 2\n-3, 4e1\n",
        "1,5;2\n-3;4e1\n",
        "1.5;2\n-3;4e1\n",
        "1,5\t2\n-3\t4e1\n",
        "1.5 2\n-3 4e1\n",
        "1,5 2\n-3 4e1\n",
        "\ufeff1,5;2\r\n\r\n-3;4e1\r\n",
    ],
)
def test_numbers_of_a_series_as_they_are_written(text: str) -> None:
    found = parse_example(text.encode(), Path("one.csv"), "series")
    assert found.tolist() == [[1.5, 2.0], [-3.0, 40.0]]


@pytest.mark.parametrize("text", ["1.234,5;2\n", "a;b\n", "1;2\n3\n", "", "\n"])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="one.csv holds no series"):
        parse_example(text.encode(), Path("one.csv"), "series")


@pytest.mark.parametrize("modality", ["text", "image"])
def test_a_table_is_not_one_example(modality: str) -> None:
    with pytest.raises(DataError, match=rf"'csv:t.csv\?{modality}=COLUMN' --to"):
        parse_example(b"text,label\na,b\n", Path("t.csv"), modality)
    assert parse_example(b"a", Path("t.txt"), modality) == b"a"
