import pytest

from zoo.storage import durable


def test_a_file_is_written_whole_in_place_of_the_old_one(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")
    durable.write_whole(path, [b"one ", memoryview(b"two")])
    assert path.read_bytes() == b"one two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(b"old")

    def pieces():
        yield b"new"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        durable.write_whole(path, pieces())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_and_files_in_them_can_be_waited_for(tmp_path):
    (tmp_path / "some" / "deep").mkdir(parents=True)
    (tmp_path / "some" / "deep" / "file").write_bytes(b"1")
    durable.sync_all(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.sync(tmp_path / "none")
