"""Processes of Python that are forked from one with TensorFlow imported.

A new Python needs four seconds of a core before TensorFlow is imported. Tests that want
a process of its own, and not what its start does, take it from here: `Popen` and `run`
are those of `subprocess`. The proof of every export that a test process makes takes its
process from here too; the commands that tests start, as users do, know nothing of it.

    python -S warm_python.py ARGUMENTS

is `python ARGUMENTS`, forked: the parts of the gate.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SERVER = Path(__file__).with_name("warm_server.py")
_STARTS_WITHIN_SECONDS = 120
_Cold = subprocess.Popen
_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE)
# Read as TensorFlow is imported: a process that has others needs an import of its own.
_READ_AT_IMPORT = ("TF_", "CUDA_", "KERAS_", "OMP_", "XLA_", "LD_")
_ALIKE = {"TF_CPP_MIN_LOG_LEVEL", "TF_CONFIG"}


class Popen(subprocess.Popen):
    """A process as of `subprocess`, forked where that makes no difference."""

    # Graphs are run as they are written. TensorFlow rewrites them first, which for
    # every signature of an artifact takes a second and changes no more than rounding.
    _as_written = False
    _connection: socket.socket | None = None

    def _execute_child(self, args, executable, preexec_fn, *rest):
        close_fds, pass_fds, cwd, env, _, _, shell, *pipes = rest
        program = None if isinstance(args, str) else _program(list(map(str, args)))
        needs_start = shell or preexec_fn or pass_fds or executable or not close_fds
        *_, starts_session = pipes[:12]
        if program is None or needs_start or starts_session or not _is_alike(env):
            super()._execute_child(args, executable, preexec_fn, *rest)
            return
        to_child, _, _, from_child, _, errors = pipes[:6]
        own = (to_child, from_child, errors)
        streams = [fd if fd >= 0 else n for n, fd in enumerate(own)]
        request = {
            "program": program,
            "isolated": "-I" in args[:2],
            "cwd": str(Path(cwd or ".").absolute()),
            "env": dict(os.environ if env is None else env),
            "limits": {limit: resource.getrlimit(limit) for limit in _LIMITS},
            "as_written": self._as_written,
        }
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_address())
        message = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(self._connection, [message], streams)
        self._connection.sendall(message[sent:])
        digits = b""
        while not digits.endswith(b"\n"):
            digits += self._answer()
        self.pid = int(digits)
        self._child_created = True
        self._close_pipe_fds(*pipes[:6])

    def _answer(self, count=1, flags=0):
        if answer := self._connection.recv(count, flags):
            return answer
        raise RuntimeError("the warm Python has ended")

    def _internal_poll(self, *args, **options):
        if self._connection is None:
            return super()._internal_poll(*args, **options)
        if self.returncode is None and self._waitpid_lock.acquire(blocking=False):
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode

    def _try_wait(self, wait_flags):
        if self._connection is None:
            return super()._try_wait(wait_flags)
        flags = socket.MSG_DONTWAIT if wait_flags & os.WNOHANG else 0
        try:
            status = int(self._answer(64, flags))
        except BlockingIOError:
            return 0, 0
        self._connection.close()
        return self.pid, status


def run(*args: Any, **options: Any) -> subprocess.CompletedProcess:
    """`subprocess.run` with a warm process."""
    before, subprocess.Popen = subprocess.Popen, Popen
    try:
        return subprocess.run(*args, **options)
    finally:
        subprocess.Popen = before


class ProofPopen(Popen):
    """Forked if it is the process of a proof of a SavedModel; as usual otherwise."""

    _as_written = True

    def _execute_child(self, args, *rest):
        is_proof = not isinstance(args, str) and _is_proof(list(map(str, args)))
        if is_proof:
            super()._execute_child(args, *rest)
        else:
            _Cold._execute_child(self, args, *rest)


def _is_proof(args: list[str]) -> bool:
    return args[1:3] == ["-I", "-c"] and any("import tensorflow as" in a for a in args)


def _program(args: list[str]) -> list[str] | None:
    """The arguments behind those of Python; `None` for what is not understood."""
    if args[0] != sys.executable:
        return None
    rest = args[2:] if args[1] == "-I" else args[1:]
    return rest if rest[0] in ("-c", "-m") or rest[0].endswith(".py") else None


def _is_alike(env: dict[str, str] | None) -> bool:
    return _read_at_import(os.environ if env is None else env) == _read_at_import(
        _environment
    )


def _read_at_import(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that make a difference: not those that say the default."""
    values = {
        name: value
        for name, value in env.items()
        if name.startswith(_READ_AT_IMPORT) and name not in _ALIKE
    }
    if values.get("KERAS_BACKEND") in ("tensorflow", ""):
        del values["KERAS_BACKEND"]
    if not Path(values.get("KERAS_HOME", ""), "keras.json").is_file():
        values.pop("KERAS_HOME", None)
    return values


_environment = dict(os.environ)


def _address() -> str:
    """The socket of the server: that of the gate, or one for this process."""
    if address := os.environ.get("ZOOTUNE_WARM_PYTHON"):
        return address
    folder = Path(tempfile.mkdtemp(prefix="zootune_warm_"))
    address = str(folder / "socket")
    server = _Cold([sys.executable, str(_SERVER), address])
    atexit.register(_end, server, folder)
    deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
    while not Path(address).exists():
        assert server.poll() is None, "the warm Python did not start"
        assert time.monotonic() < deadline, "the warm Python does not answer"
        time.sleep(0.05)
    os.environ["ZOOTUNE_WARM_PYTHON"] = address
    return address


def _end(server: subprocess.Popen, folder: Path) -> None:
    server.send_signal(signal.SIGTERM)
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run([sys.executable, *sys.argv[1:]], check=False).returncode)
