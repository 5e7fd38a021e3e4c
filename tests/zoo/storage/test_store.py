"""Entries of the store are whole, verified on each use, and the user's alone."""

import hashlib
import json
import os
import random
import stat

import pytest

from zoo.errors import CorruptEntryError, DownloadError, StoreError
from zoo.storage import store

BODY = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


def change(path, how):
    if how == "flipped":
        content = bytearray(path.read_bytes())
        content[1234] ^= 1
        path.write_bytes(content)
    elif how == "missing":
        path.unlink()
    elif how == "new":
        (path.parent / "new").write_bytes(b"")
    elif how == "cut":
        os.truncate(path, 1000)
    elif how == "link":
        path.rename(path.parent.parent / "moved")
        path.symlink_to(path.parent.parent / "moved")
    else:
        (path.parent.parent / "manifest.json").write_text(how)


@pytest.mark.parametrize(
    "how", ["flipped", "missing", "new", "cut", "link", "", "{}", '{"files": {}}']
)
def test_a_changed_entry_is_noticed(site, answer, get, capsys, how):
    url = site.at("file", answer(BODY))
    path = get(url)
    assert store.verified("weights") == path.parent
    change(path, how)
    with pytest.raises(CorruptEntryError, match=str(store.folder())) as raised:
        get(url, offline=True)
    assert "It was not used" in str(raised.value)
    assert get(url).read_bytes() == BODY
    assert "It was not used. Fetching it." in capsys.readouterr().err
    assert store.verified("weights") == path.parent


def test_the_message_names_the_file(site, answer, get):
    url = site.at("file", answer(BODY))
    path = get(url)
    change(path, "flipped")
    with pytest.raises(CorruptEntryError) as raised:
        store.verified("weights")
    assert str(raised.value).startswith(f"{path} is not what was put there")


def test_nobody_else_can_look_inside(site, answer, get):
    before = os.umask(0)
    try:
        path = get(site.at("file", answer(BODY)))
    finally:
        os.umask(before)
    root = store.folder()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    folders = [path for path in root.rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    root.chmod(0o777)
    path.unlink()
    get(site.at("file", answer(BODY)))
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_link_in_its_place_is_refused(site, answer, get, tmp_path):
    root = store.folder()
    root.parent.mkdir(parents=True)
    root.symlink_to(tmp_path)
    with pytest.raises(StoreError, match=r"is not a folder of yours.*ZOOTUNE_HOME"):
        get(site.at("file", answer(BODY)))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(site, answer, get):
    home = store.folder().parent
    home.parent.mkdir(parents=True, exist_ok=True)
    home.write_text("a file")
    with pytest.raises(StoreError, match=r"cannot be written.*Set ZOOTUNE_HOME"):
        get(site.at("file", answer(BODY)))


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOOTUNE_HOME", str(tmp_path / "mine"))
    assert store.folder() == tmp_path / "mine" / "store"
    monkeypatch.delenv("ZOOTUNE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert store.folder() == tmp_path / "cache" / "zootune" / "store"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.folder() == tmp_path / ".cache" / "zootune" / "store"


@pytest.mark.parametrize("key", ["", "..", "a/b", ".hidden", "a" * 201])
def test_keys_are_names(key):
    with pytest.raises(StoreError, match="cannot name an entry"):
        store.content(key)
    assert store.content("a.b-c_1").name == "content"


def test_a_failed_replacement_leaves_the_entry(site, answer, get):
    path = get(site.at("file", answer(BODY)))

    def fails(folder):
        (folder / "half").write_bytes(b"half")
        raise DownloadError("cut")

    with pytest.raises(DownloadError):
        store.put("weights", fails, source="test")
    assert store.verified("weights") == path.parent
    manifest = json.loads((path.parents[1] / "manifest.json").read_text())
    assert manifest["files"]["weights.h5"]["sha256"] == SHA256


def test_copies_are_whole_or_not_there(tmp_path):
    source, target = tmp_path / "a", tmp_path / "folder" / "b"
    source.write_bytes(BODY)
    store.copy(source, target)
    assert target.read_bytes() == BODY
    with pytest.raises(FileNotFoundError):
        store.copy(tmp_path / "absent", target)
    assert [path.name for path in target.parent.iterdir()] == ["b"]
    assert target.read_bytes() == BODY
