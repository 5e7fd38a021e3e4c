import os
import sys
from pathlib import Path

import pytest

from pipelines.runtime import working_folder

ROOT = Path(__file__).parents[3]


def test_import_nothing_from_here_takes_the_folder_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), ".", "/elsewhere"])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), "/more"]))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    working_folder.import_nothing_from_here()
    assert sys.path == ["/elsewhere"]
    assert os.environ["PYTHONPATH"] == "/more"
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_import_nothing_from_here_leaves_our_own_folder(monkeypatch):
    monkeypatch.chdir(ROOT)
    before = ["", "/elsewhere"]
    monkeypatch.setattr(sys, "path", before[:])
    working_folder.import_nothing_from_here()
    assert sys.path == before


def test_is_module_run_follows_the_arguments(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["-m"])
    assert working_folder.is_module_run()
    monkeypatch.setattr(sys, "argv", ["zoo", "-m"])
    assert not working_folder.is_module_run()


def test_refuse_strangers_names_both_folders(tmp_path):
    working_folder.refuse_strangers("zoo", str(ROOT / "zoo" / "__init__.py"))
    stranger = tmp_path / "zoo" / "__init__.py"
    with pytest.raises(ImportError, match=f"'zoo' of {tmp_path} is not that .* {ROOT}"):
        working_folder.refuse_strangers("zoo", str(stranger))
