"""A process for one job trusts no folder, and is waited for while it computes."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from pipelines.errors import ArtifactError
from pipelines.serving.fresh_process import FreshProcess

SUBJECT = "The exported SavedModel"


def _process(*lines: str, modules=(), imports: str = "") -> FreshProcess:
    body = "\n".join(f"    {line}" for line in ("tell('working')", *lines))
    program = f"import os, sys, time\n{imports}\ndef work(job, tell):\n{body}\n"
    return FreshProcess(program, subject=SUBJECT, modules=modules)


def _run(process: FreshProcess, *, quiet_seconds: float = 30, **job) -> None:
    with process:
        process.run(job, most_quiet_seconds=quiet_seconds)


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_process_does_its_job(tmp_path):
    out = tmp_path / "out [1]"
    _run(_process("open(job['to'], 'w').write(job['what'])"), to=str(out), what="é")
    assert out.read_text() == "é"


def test_process_imports_nothing_from_user_folders(tmp_path, monkeypatch):
    here, given, out = tmp_path / "here", tmp_path / "given", tmp_path / "out"
    for folder in (here, given):
        folder.mkdir()
        for name in ("base64", "numpy", "sitecustomize", "usercustomize"):
            (folder / f"{name}.py").write_text(f"open({str(out)!r}, 'a').write('!')")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", f":{given}:.")
    monkeypatch.setenv("PYTHONSTARTUP", str(here / "base64.py"))
    imports = "import base64, numpy\nassert numpy.ones(1).sum() == 1"
    where = f"assert os.getcwd() not in ({str(here)!r}, {str(given)!r})"
    _run(_process(where, imports=imports, modules=("numpy",)))
    assert not out.exists()


def test_package_is_found_as_in_this_process(tmp_path, monkeypatch):
    """As with `pip install --target`; it comes last, so it hides nothing."""
    (tmp_path / "brought_along").mkdir()
    (tmp_path / "brought_along" / "__init__.py").write_text("number = 3\n")
    (tmp_path / "json.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = "sys.path.extend(job['places'])", "import json, brought_along"
    with _process(*lines) as process:
        process.run({}, modules=("brought_along.ops",), most_quiet_seconds=30)


def test_busy_process_is_awaited_and_idle_one_not():
    busy = "while time.process_time() < job['until']: pass"
    _run(_process(busy), quiet_seconds=1, until=1.5)
    with pytest.raises(ArtifactError, match="made no progress for .*it was working"):
        _run(_process("time.sleep(60)"), quiet_seconds=1)


def test_stopped_process_goes_on_when_continued():
    with _process() as process:
        process.start_early()
        os.kill(process.pid, signal.SIGSTOP)
        threading.Timer(1.5, os.kill, (process.pid, signal.SIGCONT)).start()
        process.run({}, most_quiet_seconds=60)


def test_process_that_stays_stopped_is_ended():
    with _process() as process:
        process.start_early()
        pid = process.pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ArtifactError, match="It may be stopped"):
            process.run({}, most_quiet_seconds=1)
    assert not _is_alive(pid)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "os.kill(os.getpid(), 9)",
            "ended by SIGKILL; it was working.*memory is short",
        ),
        ("os.kill(os.getpid(), 11)", "ended by SIGSEGV; it was working"),
        (
            "raise OSError(28, 'No space')",
            r"temporary folder .* bytes are free .*TMPDIR",
        ),
        ("raise ValueError('bad op')", "does not run in a fresh process.*bad op"),
        ("sys.exit('over')", "does not run in a fresh process.*over"),
        ("os.write(2, b'last words'); os._exit(7)", "ended with code 7 .*last words"),
    ],
)
def test_end_of_process_is_explained(line, said):
    with pytest.raises(ArtifactError, match=said):
        _run(_process(line))


def test_early_process_that_ended_starts_again():
    with _process() as process:
        process.start_early()
        first = process.pid
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while process._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.run({}, most_quiet_seconds=30)
    assert not _is_alive(first)


def test_ctrl_c_does_not_end_process():
    with _process() as process:
        process.start_early()
        while process._lines.get(timeout=20) != {"at": "waiting for its job"}:
            pass
        os.kill(process.pid, signal.SIGINT)
        process.run({}, most_quiet_seconds=30)


def _fails_in_the_block(process: FreshProcess) -> None:
    with process:
        process.start_early()
        raise RuntimeError(f"{process.pid} {process._folder}")


def test_process_ends_with_block_and_leaves_nothing():
    with pytest.raises(RuntimeError) as failed:
        _fails_in_the_block(_process())
    pid, folder = str(failed.value).split()
    assert not _is_alive(int(pid))
    assert not Path(folder).exists()


def test_missing_temporary_folder_is_reported_late(monkeypatch):
    def none(**_):
        raise FileNotFoundError(2, "No usable temporary directory found")

    with _process() as process:
        monkeypatch.setattr("tempfile.mkdtemp", none)
        process.start_early()
        assert process.pid is None
        with pytest.raises(ArtifactError, match=r"temporary folder .*No usable"):
            process.run({}, most_quiet_seconds=30)
        monkeypatch.undo()
        process.run({}, most_quiet_seconds=30)
