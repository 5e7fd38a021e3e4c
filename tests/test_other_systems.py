"""Nothing keeps the program from starting on a system that is not Linux."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Libraries are another matter on another system: they are imported as they are.
IMPORT_ALL = """
import builtins, importlib, json, os, pathlib, signal, sys, traceback
import keras, psutil, tensorflow

HIDDEN = {"fcntl", "resource", "pwd", "grp", "termios", "syslog"}
OURS = ("zoo", "pipelines")
ABSENT = {
    os: ("fork", "register_at_fork", "geteuid", "getuid", "getgid", "uname", "pread",
         "pwrite", "sched_getaffinity", "mkfifo", "O_CLOEXEC", "O_NOFOLLOW",
         "O_DIRECTORY"),
    signal: ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGCHLD", "SIGALRM"),
}
load = builtins.__import__

def importing(name, globals=None, *rest):
    importer = (globals or {}).get("__name__", "").partition(".")[0]
    if name.partition(".")[0] in HIDDEN and importer in OURS:
        raise ImportError(f"{name} does not exist here", name=name)
    return load(name, globals, *rest)

files = [path for folder in OURS for path in pathlib.Path(folder).rglob("*.py")]
names = sorted(".".join(path.with_suffix("").parts) for path in files)
builtins.__import__ = importing
for module, absent in ABSENT.items():
    for name in absent:
        delattr(module, name)
failures = {}
for name in names:
    try:
        importlib.import_module(name.removesuffix(".__init__"))
    except Exception:
        failures[name] = traceback.format_exc()
print(json.dumps({"modules": len(names), "failures": failures}))
"""


def test_every_module_imports_on_other_systems():
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    assert result["failures"] == {}
    assert result["modules"] > 250


def test_a_hidden_module_is_missed(tmp_path):
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "locks.py").write_text("import fcntl\n")
    (folder / "hung_up.py").write_text("import signal\nsignal.SIGHUP\n")
    (tmp_path / "pipelines").mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    failures = json.loads(ended.stdout.splitlines()[-1])["failures"]
    assert "fcntl does not exist here" in failures["zoo.locks"]
    assert "SIGHUP" in failures["zoo.hung_up"]
