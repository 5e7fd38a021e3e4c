"""Rows on the user's disk: written whole or not at all, and read as they were."""

import dataclasses

import pytest

import zoo
from zoo import published
from zoo.errors import BackboneError
from zoo.spec import INSIDE, ImageInput, TextInput, Tokenizer, WeightsFile


def _row(name, **changes):
    weights = WeightsFile(
        published.weights_name(name), "MIT", path=".", sha256="0" * 64
    )
    spec = dataclasses.replace(zoo.get_spec("tiny_image"), name=name, weights=weights)
    return dataclasses.replace(spec, **changes)


def _add(spec):
    return published.add(spec, lambda folder: (folder / "file").touch(), origin={})


WORDS = WeightsFile("words.txt", "MIT", package="words==1.0", path="w/words.txt")


@pytest.mark.parametrize(
    "takes",
    [
        zoo.get_spec("vgg16").input,
        ImageInput(8, 4, INSIDE),
        TextInput(),
        TextInput(Tokenizer("words", 10, WORDS), 8, 16),
        zoo.get_spec("tiny_text").input,
        zoo.get_spec("series_gru").input,
    ],
)
def test_a_row_is_read_as_it_was_written(takes):
    spec = _row("mine", input=takes)
    folder = _add(spec)
    found = zoo.get_spec("mine")
    where = str(folder / "mine.weights.h5")
    assert found.weights.path == where
    there = dataclasses.replace(spec.weights, path=where)
    assert found == dataclasses.replace(spec, weights=there)
    assert zoo.list_backbones("mine") == ["mine"]


def test_rows_move_with_their_folder(tmp_path, monkeypatch):
    _add(_row("mine"))
    published.folder().parent.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path / "elsewhere"))
    assert zoo.get_spec("mine").weights.path.startswith(str(tmp_path / "elsewhere"))


def test_a_name_is_taken_once():
    _add(_row("mine"))
    with pytest.raises(BackboneError, match="'mine' was published already"):
        _add(_row("mine"))
    with pytest.raises(BackboneError, match="'mine' was published already"):
        zoo.register(_row("mine"))
    assert [path.name for path in published.folder().iterdir()] == ["mine"]


def test_what_fails_half_way_leaves_nothing():
    def fill(folder):
        (folder / "half").touch()
        raise OSError("the disk is full")

    with pytest.raises(BackboneError, match="could not be written .* disk is full"):
        published.add(_row("mine"), fill, origin={})
    assert list(published.folder().iterdir()) == []
    assert "mine" not in zoo.list_backbones()


def test_broken_row_hides_no_other(capsys):
    _add(_row("broken"))
    _add(_row("sound"))
    (published.folder() / "broken" / "backbone.json").write_text("{")
    assert "sound" in zoo.list_backbones()
    assert "broken cannot be read" in capsys.readouterr().err
    with pytest.raises(BackboneError, match="broken cannot be read"):
        zoo.get_spec("broken")


def test_a_published_row_is_not_unregistered():
    _add(_row("mine"))
    with pytest.raises(BackboneError, match="'mine' was published, not registered"):
        zoo.unregister("mine")


@pytest.mark.parametrize("field", ["ZOOTUNE_HOME", "XDG_DATA_HOME", "HOME"])
def test_rows_lie_where_nothing_empties_them(field, tmp_path, monkeypatch):
    for name in ("ZOOTUNE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(field, str(tmp_path))
    below = {
        "ZOOTUNE_HOME": tmp_path,
        "XDG_DATA_HOME": tmp_path / "zootune",
        "HOME": tmp_path / ".local" / "share" / "zootune",
    }
    assert published.folder() == below[field] / "backbones"
