"""The files of suggestions: a table, a page and tasks."""

import csv

import pytest

from pipelines.errors import ConfigError
from pipelines.suggestions.files import page, write, write_labels
from pipelines.suggestions.label_studio import Labels


def test_write_leaves_table_page_and_tasks(suggested, tmp_path):
    paths = write(suggested, tmp_path / "next", prefix="https://host/")
    assert [path.name for path in paths] == [
        "suggestions.csv",
        "suggestions.html",
        "label_studio.json",
        "label_studio.xml",
    ]
    with paths[0].open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == [row.name for row in suggested.rows]
    assert "https://host/" in paths[2].read_text()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        write(suggested, tmp_path / "file" / "next", prefix="")


def test_page_shows_a_thumbnail_of_each(suggested):
    text = page(suggested)
    assert text.count("data:image/jpeg;base64,") == 4
    assert "Not readable: 3.png" in text
    assert "<script" not in text


def test_labels_are_a_table_to_train_on(tmp_path):
    path = tmp_path / "labels.csv"
    write_labels(Labels({"a,b.png": "=cat", "c.png": "dog"}, "file", 0, ()), path)
    assert path.read_text() == 'file,label\n"a,b.png",\'=cat\nc.png,dog\n'
    with pytest.raises(ConfigError, match="cannot be written"):
        write_labels(Labels({}, "file", 0, ()), tmp_path / "gone" / "labels.csv")
