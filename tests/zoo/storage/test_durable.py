"""A crash, or a full disk, leaves whole files and folders."""

import stat

import pytest

from zoo.storage import durable


def test_write_whole_replaces_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    durable.write_whole(path, [b"one ", memoryview(b"two")])
    assert path.read_bytes() == b"one two"
    assert list(tmp_path.iterdir()) == [path]


def test_write_whole_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def pieces():
        yield b"new"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        durable.write_whole(path, pieces())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_sync_all_takes_folders_and_their_files(tmp_path):
    (tmp_path / "some" / "deep").mkdir(parents=True)
    (tmp_path / "some" / "deep" / "file").write_bytes(b"1")
    durable.sync_all(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.sync(tmp_path / "none")


def test_published_folder_appears_when_complete(tmp_path):
    target = tmp_path / "1"
    with durable.publish_folder(target, mode=0o750) as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".1.")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"1")
        assert not target.exists()
    assert (target / "deep" / "file").read_bytes() == b"1"
    assert stat.S_IMODE(target.stat().st_mode) == 0o750
    assert list(tmp_path.iterdir()) == [target]


def test_published_folder_that_fails_leaves_nothing(tmp_path):
    def publish():
        with durable.publish_folder(tmp_path / "1") as folder:
            (folder / "file").write_bytes(b"1")
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        publish()
    assert list(tmp_path.iterdir()) == []


def test_published_folder_replaces_only_an_empty_one(tmp_path):
    target = tmp_path / "1"
    target.mkdir()
    with durable.publish_folder(target) as folder:
        (folder / "file").write_bytes(b"1")
    with pytest.raises(OSError, match="not empty"), durable.publish_folder(target):
        pass
    assert (target / "file").read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [target]
