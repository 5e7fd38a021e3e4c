"""A user may have no home: no HOME, and no entry in the list of users."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import published
from zoo.errors import StoreError
from zoo.registry import get_spec, list_backbones
from zoo.storage import store
from zoo.storage.home import expanded, home, keras_folder
from zoo.weights import files, handles

PLACES = ("HOME", "ZOOTUNE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "KERAS_HOME")


def nobody(_number: int):
    raise KeyError("no such user")


@pytest.fixture
def no_home(monkeypatch, tmp_path):
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("no_home")
def test_without_a_home_nothing_is_written(tmp_path):
    assert home() is None
    assert "tiny_image" in list_backbones()
    assert published.find("mine") is None
    file = get_spec("efficientnet_lite0").weights
    assert file is not None
    files.find(file)
    assert handles.find_module("https://tfhub.dev/google/none/1") is None
    for write in (store.folder, published.folder, lambda: store.unfinished("key")):
        with pytest.raises(StoreError, match="Set ZOOTUNE_HOME, or HOME, to a folder"):
            write()
    assert keras_folder() == Path("/tmp/.keras")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_home")
def test_path_of_an_unknown_home_stays():
    assert expanded("~/photos") == Path("~/photos")
    assert expanded("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


@pytest.mark.usefixtures("no_home")
@pytest.mark.parametrize("variable", ["HOME", "ZOOTUNE_HOME"])
def test_a_folder_that_is_named_is_enough(monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path))
    assert store.folder().is_relative_to(tmp_path)
    assert published.folder().is_relative_to(tmp_path)
    assert store.has_folder()
    assert published.has_folder()


UNKNOWN = ("unshare", "--user", "--map-user=12345")


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*UNKNOWN, "true"], capture_output=True, check=False).returncode,
    reason="unshare --user is needed",
)
def test_commands_answer_a_user_whom_no_list_knows(tmp_path):
    code = "import sys; from pipelines.cli import main; sys.exit(main())"
    environment = {k: v for k, v in os.environ.items() if k not in PLACES}

    def ran(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*UNKNOWN, sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert ran("list", "tiny*").returncode == 0
    assert ran("info", "vgg16").returncode == 0
    refused = ran("fetch", "vgg16", "--allow-unpinned")
    assert refused.returncode == 4
    assert "Set ZOOTUNE_HOME, or HOME," in refused.stderr
    missing = ran("check", "dir:~/photos")
    assert missing.returncode == 3, missing.stderr
    assert "Traceback" not in missing.stderr
    assert list(tmp_path.iterdir()) == []
