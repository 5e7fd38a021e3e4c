"""Demo data load as they are, are always the same, and never mix with others."""

import hashlib

import pytest

from pipelines.data.demo.make import FEWEST, KINDS, README, make
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import ConfigError


def _contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("kind", "classes", "modality"),
    [
        ("photos", 10, "image"),
        ("texts", 2, "text"),
        ("series", 4, "series"),
        ("table", 3, "table"),
        ("sounds", 4, "sound"),
    ],
)
def test_make_gives_data_that_load(tmp_path, kind, classes, modality):
    demo = make(kind, tmp_path / "deep" / "data", limit=FEWEST)
    assert demo.examples == FEWEST * classes
    splits = load(DatasetRef.parse(demo.data))
    assert splits.train.inputs.modality == modality
    assert splits.info.class_names == tuple(demo.counts)
    loaded = [splits.train, splits.validation, splits.test]
    assert sum(len(split) for split in loaded) == FEWEST * classes
    text = (tmp_path / "deep" / "data" / README).read_text(encoding="utf-8")
    assert demo.origin in text
    assert demo.licence in text


@pytest.mark.parametrize("kind", KINDS)
def test_make_twice_gives_equal_files(tmp_path, kind):
    for name in "ab":
        make(kind, tmp_path / name, limit=3)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")


def test_make_takes_an_empty_folder(tmp_path):
    make("series", tmp_path, limit=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [README, "series.npz"]


def test_make_leaves_other_files_alone(tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("mine")
    with pytest.raises(ConfigError, match=r"is not empty. Name a new folder with --to"):
        make("series", tmp_path)
    with pytest.raises(ConfigError, match="own.txt is not a folder"):
        make("series", own)
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]


def test_make_refuses_data_that_nothing_trains_on(tmp_path):
    with pytest.raises(ConfigError, match="--limit is 2; it must be 3 or more: a run"):
        make("texts", tmp_path / "texts", limit=2)
    assert not (tmp_path / "texts").exists()


def test_place_that_takes_nothing_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: .*Name another folder"):
        make("series", tmp_path / "file" / "data")
