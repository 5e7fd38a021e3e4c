"""Folders below a base path: names, links, and folders with other things in them."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from pipelines.serving.server.errors import Code
from pipelines.serving.server.models import version_folders
from pipelines.serving.server.models.model import Target
from tests.support import small_artifacts
from tests.support.watched_models import NAME, follow


@pytest.mark.parametrize(
    "name", ["²", "٣", "1e3", "-1", "+2", " 2", "2 ", "2.", "0x2", "9" * 19, "v2"]
)
def test_other_names_are_not_versions(base, version, name):
    shutil.copytree(version, base / name)
    (base / "3").write_text("a file is not a version")
    assert set(version_folders.look(base).folders) == {1}


def test_photo_folder_named_like_version_costs_nothing(base, caplog):
    year = base / "2024"
    year.mkdir()
    for i in range(3000):
        (year / f"{i}.jpg").touch()
    looked = []
    real = os.scandir

    def scandir(path):
        looked.append((Path(path), threading.current_thread()))
        return real(path)

    async def steps(watched):
        loop = threading.current_thread()
        assert watched.served() == 1
        os.scandir = scandir
        try:
            for _ in range(3):
                await watched.manager.poll()
        finally:
            os.scandir = real
        (row,) = watched.manager.status(Target(NAME, version=2024))
        assert row.code == Code.FAILED_PRECONDITION
        assert "is not a version" in row.message
        assert {path for path, _ in looked} == {base}
        assert loop not in {thread for _, thread in looked}

    follow(base, steps)
    assert len([one for one in caplog.records if "is not served" in one.message]) == 1


def test_link_is_refused_unread(base, caplog):
    (base / "7").symlink_to("/usr")
    (base / "8").symlink_to(base / "nowhere")
    looked = []
    real = os.scandir

    async def steps(watched):
        def scandir(path):
            looked.append(os.path.realpath(path))
            return real(path)

        os.scandir = scandir
        try:
            await watched.manager.poll()
        finally:
            os.scandir = real
        for number in (7, 8):
            (row,) = watched.manager.status(Target(NAME, version=number))
            assert "is a link" in row.message
        assert watched.served() == 1

    follow(base, steps)
    assert looked == [os.path.realpath(base)]


def test_too_many_files_are_not_a_version(base, version):
    copy = small_artifacts.publish(version, base, 2)
    assets = copy / "assets"
    for i in range(version_folders._MOST_FILES):
        (assets / str(i)).touch()

    async def steps(watched):
        (row,) = watched.manager.status(Target(NAME, version=2))
        assert row.code == Code.FAILED_PRECONDITION
        assert "files, which is not a folder of a model" in row.message
        assert watched.served() == 1

    follow(base, steps)
