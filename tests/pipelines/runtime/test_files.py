import pytest

from pipelines.errors import ConfigError
from pipelines.runtime.files import require_empty, write_files


def test_files_are_written_into_a_new_folder(tmp_path):
    paths = write_files(tmp_path / "a/b", {"x.txt": "é", "y.txt": ""})
    assert [path.name for path in paths] == ["x.txt", "y.txt"]
    assert paths[0].read_bytes() == "é".encode()
    with pytest.raises(ConfigError, match="cannot be written"):
        write_files(paths[0] / "below", {"x": ""})


def test_folders_with_something_in_them_are_refused(tmp_path):
    require_empty(tmp_path)
    require_empty(tmp_path / "new")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for place, fault in ((tmp_path, "not empty"), (tmp_path / "link", "not a folder")):
        with pytest.raises(ConfigError, match=fault):
            require_empty(place)
