"""Runs the code blocks of a page: commands of ours in this process, others by bash."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, TextIO

from pipelines import cli
from tests.docs.blocks import ROOT, Block
from tests.support import warm_python

_BIN = Path(sys.executable).parent
_SHELL_SIGNS = re.compile(r"[|<>&;`]|\$\(")
_WHOLE_SCRIPT = re.compile(
    r"^(?:for|while|if|case|function) |<<|^\w+\(\)", re.MULTILINE
)
# Far more than any block takes on a quiet machine.
_SECONDS = 900
_REST_PORT = 8501


_DEAR = ("demo", "train", "export")
# Of commands that have ended well, by their arguments.
Outputs = dict[tuple[str, ...], str]


class BlockFailed(AssertionError):
    """A block that did not do what its page says."""


class Runner:
    """Runs the blocks of one page in a folder; ends what they have started.

    `outputs` has those of data made, trainings and exports in this folder before: a
    page that gives the same command takes the output from there.
    """

    def __init__(self, folder: Path, *, outputs: Outputs | None = None) -> None:
        self.folder = folder
        self._outputs = {} if outputs is None else outputs
        self._of_others = set(self._outputs)
        self._names: dict[str, Any] = {"__name__": "__main__"}
        self._servers: list[subprocess.Popen[str]] = []

    def run(self, block: Block) -> str:
        """The output of a block.

        Raises:
            BlockFailed: if it ends with another code, or lacks what it shows.
        """
        if block.language == "python":
            code, output = self._python(block)
        else:
            code, output = self._sh(block)
        if code != block.exits:
            raise BlockFailed(
                f"{block.place} ended with {code}, not {block.exits}:\n{output}"
            )
        for text in block.shows:
            if text not in output:
                raise BlockFailed(f"{block.place} does not show {text!r}:\n{output}")
        return output

    def close(self) -> None:
        """Ends the servers of the page."""
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def _python(self, block: Block) -> tuple[int, str]:
        # With the lines of the page, for tracebacks.
        source = "\n" * block.line + block.text
        captured = io.StringIO()
        with _in_folder(self.folder), _captured(captured):
            exec(compile(source, str(block.page), "exec"), self._names)  # noqa: S102
        return 0, captured.getvalue()

    def _sh(self, block: Block) -> tuple[int, str]:
        outputs, code = [], 0
        for piece in pieces(block.text):
            if code:
                break
            if serves := re.match(r"(zoo serve .*?)\s*&$", piece):
                code, output = self._serve(serves[1])
            elif is_ours(piece):
                code, output = self._zoo(piece)
            else:
                code, output = self._bash(piece)
            outputs.append(output)
        return code, "".join(outputs)

    def _zoo(self, line: str) -> tuple[int, str]:
        """A command in this process."""
        words = tuple(self._words(line))
        if words in self._of_others:
            # Given twice on a page, it runs: that is what the page is about.
            self._of_others.remove(words)
            return 0, self._outputs[words]
        captured = io.StringIO()
        with _in_folder(self.folder), _captured(captured):
            code = cli.main(list(words))
        if words[0] in _DEAR and code == 0:
            self._outputs[words] = captured.getvalue()
        return code, captured.getvalue()

    def _words(self, line: str) -> list[str]:
        """The arguments of a command; bash reads quotes, patterns and variables."""
        listed = self._process(f"printf '%s\\0' {line}", stdout=subprocess.PIPE)
        return listed.communicate()[0].split("\0")[1:-1]

    def _bash(self, script: str) -> tuple[int, str]:
        process = self._process(
            script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            output = process.communicate(timeout=_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, output

    def _serve(self, command: str) -> tuple[int, str]:
        """Starts a server and waits until it is ready."""
        port = re.search(r"--rest-port[= ](\d+)", command)
        address = f"http://127.0.0.1:{port[1] if port else _REST_PORT}/readyz"
        log = self.folder / f"server-{len(self._servers)}.log"
        with log.open("w") as file:
            self._servers.append(server := self._server(command, file))
        deadline = time.monotonic() + _SECONDS
        while not _is_ready(address):
            if server.poll() is not None or time.monotonic() > deadline:
                return server.returncode or 1, log.read_text()
            time.sleep(0.2)
        return 0, log.read_text()

    def _server(self, command: str, log: TextIO) -> subprocess.Popen[str]:
        return warm_python.Popen(
            [sys.executable, "-m", "pipelines.cli", *self._words(command)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )

    def _process(self, script: str, **streams: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
            **streams,
        )


def pieces(text: str) -> list[str]:
    """The parts of a script: commands of ours and servers alone, the others together.

    >>> pieces("cd x\\nls\\nzoo list \\\\\\n  --json\\nls\\n")
    ['cd x\\nls', 'zoo list \\\\\\n  --json', 'ls']
    """
    if _WHOLE_SCRIPT.search(text):
        return [text.strip()]
    parts: list[str] = []
    is_open = False
    for line in _logical_lines(text):
        is_alone = bool(re.match(r"zoo serve .*&$", line)) or is_ours(line)
        if is_open and not is_alone:
            parts[-1] += f"\n{line}"
        else:
            parts.append(line)
        is_open = not is_alone
    return parts


def is_ours(line: str) -> bool:
    """True for a command of ours that needs nothing of the shell but its words."""
    return line.startswith("zoo ") and not _SHELL_SIGNS.search(_unquoted(line))


def _unquoted(line: str) -> str:
    return re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)


def _logical_lines(text: str) -> list[str]:
    joined = re.split(r"(?<!\\)\n", text)
    return [line for line in joined if line.strip() and not line.startswith("#")]


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def _in_folder(folder: Path) -> Any:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextlib.contextmanager
def _captured(stream: io.StringIO) -> Any:
    handlers = list(logging.root.handlers)
    # A command logs to the stream that it finds, unless there is a handler already.
    logging.root.handlers[:] = []
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        try:
            yield
        finally:
            logging.root.handlers[:] = handlers
