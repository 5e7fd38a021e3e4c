"""A process from `warm_python` is as one that was started, and has TensorFlow."""

import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from tests.support import warm_python

SAYS = """
import os, sys
names = sorted({"tensorflow", "pipelines"} & {*sys.modules})
print(sys.argv[1:], os.getcwd(), os.environ["SAID"], names, sys.stdin.read())
print(os.getpid(), file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("options", [[], ["-I"]])
def test_program_has_its_arguments_streams_and_exit_code(tmp_path, options):
    ended = warm_python.run(
        [sys.executable, *options, "-c", SAYS, "7", "a b"],
        input="sent",
        cwd=tmp_path,
        env={**os.environ, "SAID": "yes"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 7, ended.stderr
    assert ended.stdout == f"['7', 'a b'] {tmp_path} yes ['tensorflow'] sent\n"
    assert int(ended.stderr) != os.getpid()


def test_module_runs_from_its_folder(tmp_path):
    (tmp_path / "here.py").write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    command = [sys.executable, "-m", "here", "x"]
    ended = warm_python.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert ended.stdout == b"__main__ ['x']\n"


def test_limits_and_temporary_folder_are_inherited(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    code = (
        "import resource, tempfile\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], tempfile.gettempdir())"
    )
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        ended = warm_python.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert ended.stdout == f"{soft - 1} {tmp_path}\n"


def test_error_is_printed_and_ends_with_one():
    command = [sys.executable, "-c", "raise ValueError('bad')"]
    ended = warm_python.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith("ValueError: bad\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_process(number):
    code = "import time; print('ready', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with warm_python.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(30) == -number


def test_other_programs_are_started_as_usual(tmp_path):
    assert warm_python.run(["true"], check=False).returncode == 0
    assert warm_python.run("exit 3", shell=True, check=False).returncode == 3
    code = "import sys; print('tensorflow' in sys.modules)"
    env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    command = [sys.executable, "-c", code]
    ended = warm_python.run(command, env=env, capture_output=True, check=True)
    assert ended.stdout == b"False\n"


def test_many_at_a_time_take_no_import():
    code = "import tensorflow, time; print(time.process_time())"
    started = time.monotonic()
    processes = [
        warm_python.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        for _ in range(8)
    ]
    seconds = [float(process.communicate()[0]) for process in processes]
    assert max(seconds) < 1
    assert time.monotonic() - started < 60
