"""Thins out the lines that libraries repeat on stderr.

libjpeg and TensorFlow write a line or two for every broken image, which any client can
send by the thousand. They write to the file descriptor, past Python's logging, so what
is written there goes through a process of its own: it says everything once, and most
of it, and outlives a crash of the server, whose last words are the ones that matter.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator

_MOST_OF_A_KIND = 5  # lines of one kind in a period
_PERIOD_SECONDS = 60.0
_MOST_KINDS = 500
_LONGEST_LINE = 10_000
_READ_BYTES = 64 * 1024
_NUMBER = re.compile(rb"0x[0-9a-fA-F]+|[0-9]+")
# Ours, as `logging` writes it: what it says twice has happened twice.
_LOGGED = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ")
_OTHERS = b"lines of other kinds"


class Thinned:
    """A few lines of each kind in a minute, and then how many more there were."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._since = 0.0

    def line(self, line: bytes, now: float) -> list[bytes]:
        """The lines to write when this line comes; there may be none."""
        if _LOGGED.match(line):
            return [line]
        written = self.left_out(now)
        kind = _NUMBER.sub(b"#", line)
        if kind not in self._counts and len(self._counts) >= _MOST_KINDS:
            kind = _OTHERS
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return [*written, line] if count <= _MOST_OF_A_KIND else written

    def left_out(self, now: float, *, ends: bool = False) -> list[bytes]:
        """The counts of lines left out, at the end of a period; none before."""
        if now - self._since < _PERIOD_SECONDS and not ends:
            return []
        counts = [
            b"(%d more like this: %s)" % (count - _MOST_OF_A_KIND, kind)
            for kind, count in self._counts.items()
            if count > _MOST_OF_A_KIND
        ]
        self._counts.clear()
        self._since = now
        return counts


@contextlib.contextmanager
def thinned_stderr() -> Iterator[None]:
    """Inside, what is written to file descriptor 2 is thinned out.

    To be entered before there are threads: it forks.
    """
    try:
        stderr = os.dup(2)
    except OSError:  # closed
        yield
        return
    if not hasattr(os, "fork"):  # Windows
        os.close(stderr)
        yield
        return
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _pass_on(reading, writing, stderr)
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _pass_on(reading: int, writing: int, stderr: int) -> None:
    """The other process: until nobody can write any more."""
    try:
        # A Ctrl-C, or what ends a whole group, is for the server.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.close(writing)
        for standard in (0, 1, 2):
            with contextlib.suppress(OSError):
                os.close(standard)
        _thin(reading, stderr)
    finally:
        os._exit(0)


def _thin(reading: int, stderr: int) -> None:
    thinned, rest = Thinned(), b""
    while chunk := os.read(reading, _READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        now = time.monotonic()
        _write(stderr, [out for line in lines for out in thinned.line(line, now)])
    last = thinned.left_out(time.monotonic(), ends=True)
    _write(stderr, [rest, *last] if rest else last)


def _write(stderr: int, lines: list[bytes]) -> None:
    content = b"".join(line + b"\n" for line in lines)
    while content:
        try:
            content = content[os.write(stderr, content) :]
        except OSError:  # nobody reads it, and the server goes on
            return
