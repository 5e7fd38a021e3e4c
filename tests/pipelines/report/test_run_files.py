"""The files of a run are read whole, and older folders lack some."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.report.run_files import read

NEEDED = ("report.json", "plan.json", "config.json", "environment.json")


@pytest.fixture
def old_run(finished_run, tmp_path) -> Path:
    """The files that a run of an older version left."""
    for name in NEEDED:
        shutil.copy(finished_run / name, tmp_path)
    return tmp_path


def test_finished_run_has_all_files(finished_run):
    files = read(finished_run)
    test = files.predictions_of["test"]
    assert len(test) == files.report["test"]["examples"]
    right = sum(row.is_right for row in test) / len(test)
    assert right == pytest.approx(files.report["test"]["accuracy"])
    assert files.card["modality"] == files.gallery.modality == "image"
    for example in files.gallery.examples:
        assert example.picture
        if example.split == "test":
            row = test[example.row]
            assert (row.example, row.predicted) == (example.name, example.predicted)


def test_older_run_has_less(old_run):
    files = read(old_run)
    assert (files.predictions, files.gallery) == (None, None)
    assert (files.card, files.history) == ({}, [])
    assert not files.predictions_of


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plan.json", '{"action": '),
        ("gallery.json", "[]"),
        ("gallery.json", '{"modality": "image", "examples": [{}]}'),
        ("predictions.jsonl", "{}"),
        ("history.jsonl", "nonsense"),
        ("data_card.json", "\0"),
    ],
)
def test_damaged_file_is_named(old_run, name, content):
    (old_run / name).write_text(content)
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        read(old_run)
