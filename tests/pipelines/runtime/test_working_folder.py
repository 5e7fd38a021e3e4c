"""The folder where the user stands: nothing of ours is imported from it."""

import os
import sys
from pathlib import Path

import pytest

from pipelines.runtime import working_folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/elsewhere"])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}/elsewhere")
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    return tmp_path


def test_it_leaves_the_import_path_of_this_process_and_of_others(here):
    working_folder.import_nothing_from_here()
    assert sys.path == ["/elsewhere"]
    assert os.environ["PYTHONPATH"] == "/elsewhere"
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_the_folder_of_the_packages_stays(here, monkeypatch):
    monkeypatch.chdir(Path(working_folder.__file__).parents[2])
    before = list(sys.path)
    working_folder.import_nothing_from_here()
    assert sys.path == before


def test_a_folder_that_was_removed_is_none(here):
    here.rmdir()
    working_folder.import_nothing_from_here()
    assert "/elsewhere" in sys.path


def test_a_package_of_the_same_name_is_refused(tmp_path):
    ours = Path(working_folder.__file__).parents[2]
    working_folder.refuse_strangers("zoo", str(ours / "zoo" / "__init__.py"))
    with pytest.raises(ImportError, match="'zoo' of .* does not belong to zootune"):
        working_folder.refuse_strangers("zoo", str(tmp_path / "zoo" / "__init__.py"))
