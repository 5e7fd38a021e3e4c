"""No process that we start imports anything from where the user stands."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import isolated

ROOT = Path(__file__).parents[2]
# What starts a process, by the module that has it.
STARTERS = {
    "subprocess": {"run", "Popen", "call", "check_call", "check_output", "getoutput"},
    "os": {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp"},
    "multiprocessing": {"Process", "Pool", "get_context"},
}
# The one place for it; and two that may import nothing of zoo: the process of a proof,
# whose own tests see what it imports, and a fork, which imports nothing.
PLACES = {
    "zoo/isolated.py",
    "pipelines/serving/fresh_process.py",
    "pipelines/serving/server/log_filter.py",
}
# Modules that any program of ours imports at its start or soon after.
COMMON = ("base64", "json", "typing", "logging", "argparse", "dataclasses", "runpy")


def leave_traps(folder: Path, *names: str) -> None:
    """Files that say so if they are imported."""
    for name in names:
        said = f"open({str(folder / 'pwned')!r}, 'a').write({name!r} + chr(10))\n"
        (folder / f"{name}.py").write_text(said)


def starts_of(path: Path) -> list[str]:
    """The calls in a file that start a process."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, name = node.func.value, node.func.attr
        if not isinstance(owner, ast.Name):
            continue
        is_exec = owner.id == "os" and name.startswith(("exec", "spawn"))
        if is_exec or name in STARTERS.get(owner.id, ()):
            found.append(f"{owner.id}.{name}")
    return found


def imports_starter(path: Path) -> bool:
    """Whether a file takes the name of such a call out of its module."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module in STARTERS
        and STARTERS[node.module] & {one.name for one in node.names}
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_processes_are_started_in_one_place():
    files = [*(ROOT / "zoo").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")]
    assert len(files) > 200
    found = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if starts_of(path) or imports_starter(path)
    }
    assert found == PLACES, f"use zoo.isolated in {found - PLACES}"


def test_what_starts_a_process_is_seen(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("import os, subprocess\nsubprocess.run([])\nos.execv('a', [])\n")
    assert starts_of(path) == ["subprocess.run", "os.execv"]
    path.write_text("from subprocess import Popen\n")
    assert imports_starter(path)
    path.write_text("import os\nos.getcwd()\n")
    assert not starts_of(path)
    assert not imports_starter(path)


@pytest.mark.parametrize("python_path", [None, ".", "", "{here}"])
def test_a_child_imports_nothing_from_here(tmp_path, monkeypatch, python_path):
    leave_traps(tmp_path, *COMMON, "pip", "sitecustomize", "usercustomize")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), *sys.path])
    if python_path is not None:
        monkeypatch.setenv("PYTHONPATH", python_path.format(here=tmp_path))
    ended = isolated.run_module("pip", ["--version"], cwd=tmp_path, timeout_seconds=60)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("pip ")
    assert not (tmp_path / "pwned").exists()


def test_a_child_finds_what_its_parent_was_given(tmp_path, monkeypatch):
    given = tmp_path / "given"
    given.mkdir()
    (given / "only_here.py").write_text("import sys\nprint(sys.argv[1:])\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(given)])
    ended = isolated.run_module(
        "only_here", ["a", "b c"], cwd=tmp_path, timeout_seconds=60
    )
    assert (ended.stdout, ended.returncode) == ("['a', 'b c']\n", 0)
    monkeypatch.chdir(given)
    ended = isolated.run_module("only_here", [], cwd=given, timeout_seconds=60)
    assert "No module named only_here" in ended.stderr


def test_a_folder_that_was_removed_is_no_obstacle(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert isolated.trusted_folders(["", "here", "/usr/lib"]) == ["/usr/lib"]


# Folders of a user's project, with the names of ours and of what we import.
PROJECT = {
    "the current folder": {},
    "PYTHONPATH": {"PYTHONPATH": "."},
}


@pytest.mark.parametrize("how", PROJECT)
def test_command_ignores_names_in_the_users_folder(tmp_path, how):
    leave_traps(tmp_path, "base64", "argparse", "dataclasses", "logging", "absl")
    for name in ("pipelines", "zoo"):
        (tmp_path / name).mkdir()
        leave_traps(tmp_path / name, "__init__")
    code = "import sys\nfrom zootune_command import main\nsys.exit(main())\n"
    script = tmp_path / "bin" / "zoo"  # as pip makes it, in a folder of its own
    script.parent.mkdir()
    script.write_text(f"import sys\nsys.path.append({str(ROOT)!r})\n{code}")
    ended = subprocess.run(
        [sys.executable, str(script), "list", "tiny_image"],
        cwd=tmp_path,
        env={**os.environ, **PROJECT[how]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "tiny_image" in ended.stdout
    left = sorted(path.name for path in tmp_path.rglob("pwned"))
    assert left == []


def test_run_module_imports_nothing_from_here(tmp_path):
    leave_traps(tmp_path, "base64", "argparse", "dataclasses", "logging", "absl")
    (tmp_path / "zoo").mkdir()
    leave_traps(tmp_path / "zoo", "__init__")
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "list", "tiny_image"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.rglob("pwned")) == []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no PYTHONSAFEPATH there")
def test_what_a_library_starts_imports_nothing_from_here(tmp_path):
    leave_traps(tmp_path, "plistlib")  # nothing of ours imports it
    given = f".{os.pathsep}{tmp_path}{os.pathsep}{os.pathsep}/usr/lib"
    child = "import plistlib, os; print(os.environ['PYTHONPATH'])"
    code = (
        "from pipelines.runtime import working_folder as here;"
        "here.import_nothing_from_here();"
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout == "/usr/lib\n", ended.stderr
    assert not (tmp_path / "pwned").exists()


def test_a_folder_of_the_same_name_is_named(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "__init__.py").touch()
    ended = subprocess.run(
        [sys.executable, "-c", "import pipelines"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: The package 'zoo' of {tmp_path} does not")
    assert "Rename it" in last
