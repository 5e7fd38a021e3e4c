"""A Python process that does one job, apart from the folder where the user stands.

It imports what is installed and nothing else: no current folder, no PYTHONPATH. It may
start long before its job is known, so that its imports are done by then. How long the
job takes is not limited, only how long it makes no progress: machines are busy, and
laptops sleep.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pipelines.errors import ArtifactError

_BEAT_SECONDS = 0.5
# Share of a processor between two beats; the beats themselves take a hundredth.
_LEAST_SHARE = 0.02
_LOOK_SECONDS = 1.0
_SAY_EVERY_SECONDS = 5.0
_WARN_AFTER_SECONDS = 30.0
_PACKAGE_FOLDERS = ("site-packages", "dist-packages")

# Runs the program that is its second argument, which defines `work(job, report)` and
# may define `prepare(job, report)`. It reads and writes JSON objects, one a line; the
# output of libraries goes to stderr.
_BOOT = """
import json, os, signal, sys, threading, time, traceback

# Ctrl-C is for the process that waits, which ends this one.
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path.extend(json.loads(sys.argv[1]))
lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
lock = threading.Lock()

def say(**said):
    with lock:
        try:
            lines.write(json.dumps(said) + "\\n")
            lines.flush()
        except OSError:
            os._exit(1)  # nobody waits for it any more

def beat():
    while True:
        say(cpu_seconds=time.process_time())
        time.sleep(float(sys.argv[3]))

threading.Thread(target=beat, daemon=True).start()
try:
    say(at="importing")
    program = {}
    exec(compile(sys.argv[2], "<program>", "exec"), program)
    say(at="waiting for its job")
    for line in sys.stdin:
        asked = json.loads(line)
        say(at="beginning")
        program[asked["step"]](asked["job"], lambda at: say(at=at))
        if asked["step"] == "work":
            say(done=True)
            break
except BaseException as error:
    traceback.print_exc()
    sys.stderr.flush()
    sentence = f"{type(error).__name__}: {error}"
    say(failed=sentence, errno=getattr(error, "errno", None))
    os._exit(1)
os._exit(0)  # without what TensorFlow does at the end, which nobody needs
"""

_logger = logging.getLogger("zootune")


class FreshProcess:
    """A process that runs `program`, once, and ends with the block that it is used in.

    `program` defines `work(job, report)`: `job` are values of JSON, and `report` takes
    a text on its next step. It may define `prepare(job, report)`, for steps that do not
    need the whole job. `subject` begins the sentence of an error: what is proved.
    `modules` are imported by it, and found where this process finds them.
    """

    def __init__(self, program: str, *, subject: str, modules: Sequence[str]) -> None:
        self._program = program
        self._subject = subject
        self._modules = tuple(modules)
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._folder: Path | None = None
        self._at = "starting"

    def __enter__(self) -> FreshProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The number of the process, if it was started."""
        return None if self._process is None else self._process.pid

    def start_early(self) -> None:
        """Starts the process while there is other work; a failure is retried later."""
        if self._process is None:
            try:
                self._start()
            except OSError as error:
                _logger.info("A process for later could not be started yet: %s", error)
                self.close()

    def prepare(self, job: Mapping[str, Any], *, modules: Sequence[str] = ()) -> None:
        """Starts on the steps that are known by now, without waiting.

        An error is raised by `run`, which does all of it again where this was lost.
        """
        self.start_early()
        self._ask("prepare", job, modules)

    def run(
        self,
        job: Mapping[str, Any],
        *,
        modules: Sequence[str] = (),
        most_quiet_seconds: float,
    ) -> None:
        """Does the job, for which `modules` are needed too.

        Raises:
            ArtifactError: if it fails, is ended, or makes no progress for so long.
        """
        if self._process is not None and self._process.poll() is not None:
            self.close()  # ended while it had nothing to do: memory was short, maybe
        try:
            if self._process is None:
                self._start()
            self._ask("work", job, modules)
        except OSError as error:
            raise self._cannot_start(error) from error
        self._wait(most_quiet_seconds)
        self.close()

    def close(self) -> None:
        """Ends the process, whatever it does, and removes its folder."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # also ends one that is stopped
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self) -> None:
        self._at = "starting"
        self._lines = queue.Queue()
        self._folder = Path(tempfile.mkdtemp(prefix="zootune_process_"))
        arguments = (json.dumps(_places(self._modules)), self._program)
        with self._stderr_path.open("wb") as stderr:
            # Isolated (-I): neither the current folder nor PYTHONPATH is searched.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _BOOT, *arguments, str(_BEAT_SECONDS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                cwd=self._folder,
                env=_environment(),
            )
        threading.Thread(
            target=_read, args=(self._process.stdout, self._lines), daemon=True
        ).start()

    def _ask(self, step: str, job: Mapping[str, Any], modules: Sequence[str]) -> None:
        stream = self._process.stdin if self._process is not None else None
        if stream is not None:
            values = {"step": step, "job": {**job, "places": _places(modules)}}
            # One that has ended is noticed by the end of its lines.
            with contextlib.suppress(BrokenPipeError):
                stream.write(json.dumps(values) + "\n")
                stream.flush()

    @property
    def _stderr_path(self) -> Path:
        return (self._folder or Path()) / "stderr"

    def _wait(self, most_quiet_seconds: float) -> None:
        quiet_seconds, cpu_seconds, has_warned = 0.0, 0.0, False
        last_said = time.monotonic()
        while True:
            looked = time.monotonic()
            try:
                line = self._lines.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                line = {}
            if line is None:
                raise self._ended()
            if "done" in line:
                return
            if "failed" in line:
                raise self._failed(line)
            # While this process or the whole machine slept, the other one slept too.
            passed = min(time.monotonic() - looked, 2 * _LOOK_SECONDS)
            now_seconds = line.get("cpu_seconds", cpu_seconds)
            is_busy = now_seconds - cpu_seconds > _LEAST_SHARE * _BEAT_SECONDS
            cpu_seconds = now_seconds
            self._at = line.get("at", self._at)
            quiet_seconds = 0.0 if is_busy or "at" in line else quiet_seconds + passed
            if quiet_seconds > most_quiet_seconds:
                raise self._is_stuck(quiet_seconds)
            if quiet_seconds > _WARN_AFTER_SECONDS and not has_warned:
                has_warned = True
                _logger.warning("Waiting for %s.", self._whereabouts())
            if time.monotonic() - last_said > _SAY_EVERY_SECONDS:
                last_said = time.monotonic()
                _logger.info("  %s", self._at)

    def _whereabouts(self) -> str:
        return f"process {self.pid}, which was last {self._at}"

    def _cannot_start(self, error: OSError) -> ArtifactError:
        if error.errno == errno.ENOSPC or self._folder is None:
            return temporary_folder_is_full(error)
        return ArtifactError(
            f"{self._subject} could not be tried in a fresh process: {sys.executable}"
            f" does not start ({error}). Fix this and run the same command again."
        )

    def _failed(self, line: Mapping[str, Any]) -> ArtifactError:
        if line.get("errno") == errno.ENOSPC:
            return temporary_folder_is_full(line["failed"])
        message = str(line["failed"])
        return ArtifactError(
            f"{self._subject} does not run in a fresh process, so it was not published."
            f" It was {self._at}. "
            f"{message if len(message) < 800 else '...' + message[-800:]}"
        )

    def _ended(self) -> ArtifactError:
        """The error for a process that ended without a last line."""
        code = self._process.wait() if self._process is not None else 0
        if code >= 0:
            return ArtifactError(
                f"{self._subject} does not run in a fresh process, so it was not"
                f" published. It ended with code {code} and without a word; it was"
                f" {self._at}. The end of its output: {self._last_words()}"
            )
        name = _name_of_signal(-code)
        return ArtifactError(
            f"{self._subject} was not published, because the process that tried it was"
            f" ended by {name}; it was {self._at}.{_hint_of(name)} Run the same"
            " command again when this is fixed."
            + (f" The end of its output: {end}" if (end := self._crash()) else "")
        )

    def _crash(self) -> str:
        """The last words of a program that crashed; the kernel leaves none."""
        code = self._process.wait() if self._process is not None else 0
        return "" if -code in (signal.SIGKILL, signal.SIGTERM) else self._last_words()

    def _is_stuck(self, seconds: float) -> ArtifactError:
        return ArtifactError(
            f"{self._subject} was not published, because the process that tried it made"
            f" no progress for {seconds:.0f} s; it was {self._at}. It may be stopped"
            " (by a signal, or with its container), or wait for a disk that does not"
            " answer. Run the same command again when the machine is at rest."
        )

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return self._stderr_path.read_text(errors="replace").strip()[-800:]
        return ""


def temporary_folder_is_full(
    error: object, *, needed_bytes: int | None = None
) -> ArtifactError:
    """The error for a full folder: its name, and the bytes needed and free."""
    # Where all are full, `tempfile` finds none.
    folder = Path(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108
    free = 0
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free
    needed = "" if needed_bytes is None else f" {needed_bytes:,} bytes are needed and"
    return ArtifactError(
        f"The temporary folder {folder} does not take what the proof of an export"
        f" needs:{needed} {free:,} bytes are free ({error}). Make space there, or name"
        " another folder with the environment variable TMPDIR, and run the same"
        " command again."
    )


def _read(stream: IO[str], lines: queue.Queue[dict[str, Any] | None]) -> None:
    # Closed under it where the process is ended before its time.
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            with contextlib.suppress(json.JSONDecodeError):
                lines.put(json.loads(line))
    lines.put(None)


def _environment() -> dict[str, str]:
    """The environment of this process without the variables of Python."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def _places(modules: Sequence[str]) -> list[str]:
    """The folders of packages that this process has, and an isolated one may not.

    They are searched after all others: those of a user, and of `pip install --target`.
    """
    places = [p for p in sys.path if Path(p).name in _PACKAGE_FOLDERS]
    for module in modules:
        name = module.partition(".")[0]
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(name)
            for place in (spec and spec.submodule_search_locations) or ():
                places.append(str(Path(place).parent))
            if spec and spec.origin and not spec.submodule_search_locations:
                places.append(str(Path(spec.origin).parent))
    return list(dict.fromkeys(str(Path(place).absolute()) for place in places))


def _name_of_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _hint_of(name: str) -> str:
    if name == "SIGKILL":
        free = _free_memory()
        return (
            " The kernel, or a container's limit, does that where memory is short"
            f"{free}: end other programs, or give it more memory."
        )
    if name in ("SIGSEGV", "SIGILL", "SIGBUS", "SIGABRT"):
        return " A library crashed; `zoo doctor` says which are installed."
    return ""


def _free_memory() -> str:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return f" ({int(line.split()[1]) / 1e6:.1f} GB are free by now)"
    return ""
