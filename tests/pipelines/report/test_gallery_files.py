"""The gallery of a run folder is read from it, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.report.gallery_files import gallery_of
from tests.support.pictures import encode, photo


def entry(**values):
    about = {"roles": ["mistake"], "split": "test", "row": 3, "name": "a", "label": "x"}
    return about | values


def first_of(folder: Path, **values):
    (example,) = gallery_of(
        {"modality": "image", "examples": [entry(**values)]}, folder
    ).examples
    return example


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "gallery").mkdir()
    content = encode(photo(0), "JPEG")
    (tmp_path / "gallery" / "test_3.jpg").write_bytes(content)
    (tmp_path / "secret.jpg").write_bytes(content)
    return tmp_path


def test_picture_and_heat_are_read(folder):
    example = first_of(folder, picture="test_3.jpg", heat="test_3.jpg")
    assert example.picture == example.heat == (folder / "secret.jpg").read_bytes()
    assert (example.lost, example.key) == (False, "test-3")


def test_pictures_that_moved_away_are_lost(folder):
    assert first_of(folder, picture="test_4.jpg", heat="test_3.jpg").lost
    assert first_of(folder).lost


@pytest.mark.parametrize("name", ["../secret.jpg", "..", "/etc/hostname"])
def test_no_file_outside_is_read(folder, name):
    assert first_of(folder, picture=name).picture is None


def test_other_files_are_no_pictures(folder):
    (folder / "gallery" / "text.jpg").write_text("no picture")
    (folder / "gallery" / "huge.jpg").write_bytes(b"\xff\xd8" + bytes(300_000))
    assert first_of(folder, picture="text.jpg").picture is None
    assert first_of(folder, picture="huge.jpg").picture is None


def test_texts_and_series_are_never_lost(folder):
    assert first_of(folder, text="words").text == "words"
    example = first_of(folder, series=[[1.0, 2.0]])
    assert (example.series, example.lost) == ([[1.0, 2.0]], False)


def test_having_filters_by_role(folder):
    values = {"modality": "text", "examples": [entry(text="a"), entry(roles=["pair"])]}
    gallery = gallery_of(values, folder)
    assert [example.text for example in gallery.having("mistake")] == ["a"]
