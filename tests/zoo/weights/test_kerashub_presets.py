"""A preset is a name, an address or a folder with a network."""

import pytest

from zoo.errors import BackboneError, OfflineError
from zoo.weights import kerashub_presets


def test_find_takes_names_and_addresses():
    for handle in ("bert_tiny_en_uncased", "hf://someone/some_preset"):
        assert kerashub_presets.find(handle) == handle


def test_find_suggests_the_nearest_name():
    with pytest.raises(BackboneError, match="Did you mean .*bert_tiny_en_uncased"):
        kerashub_presets.find("bert_tiny_en_uncase")


def test_find_offline_takes_folders_only(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOOTUNE_OFFLINE", "1")
    (tmp_path / "config.json").write_text("{}")
    assert kerashub_presets.find(tmp_path) == str(tmp_path)
    with pytest.raises(OfflineError, match="ZOOTUNE_OFFLINE forbids it"):
        kerashub_presets.find("bert_tiny_en_uncased")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("note.txt", "", "is not a preset: .*There are note.txt"),
        ("tokenizer.json", "{}", "holds a tokenizer only"),
        ("config.json", "{", "config.json cannot be read"),
        ("config.json", "[]", "describes no network"),
    ],
)
def test_folder_without_a_network_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(BackboneError, match=message):
        kerashub_presets.find(tmp_path)
