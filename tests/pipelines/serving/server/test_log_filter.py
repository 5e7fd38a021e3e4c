"""Lines that come again and again are thinned out, and nothing is lost of a crash."""

import subprocess
import sys

from pipelines.serving.server.log_filter import Thinned


def test_five_lines_of_a_kind_then_a_count():
    thinned = Thinned()
    said = [
        line
        for i in range(100)
        for line in thinned.line(b"Unsupported marker type 0x%x" % i, now=1000 + i / 10)
    ]
    assert said == [b"Unsupported marker type 0x%x" % i for i in range(5)]
    assert thinned.line(b"another", now=1030) == [b"another"]
    assert thinned.line(b"later", now=1061) == [
        b"(95 more like this: Unsupported marker type #)",
        b"later",
    ]


def test_kinds_that_a_client_makes_up_are_bounded():
    thinned = Thinned()
    lines = (b"kind " + b"x" * i for i in range(2000))
    said = [out for line in lines for out in thinned.line(line, now=1)]
    assert len(said) == 505
    assert thinned.left_out(2, ends=True) == [
        b"(1495 more like this: lines of other kinds)"
    ]


def test_what_we_log_ourselves_is_all_said():
    thinned = Thinned()
    line = b"2026-11-30 09:48:16,131 INFO m version 1 is served"
    assert [thinned.line(line, now=1) for _ in range(20)] == [[line]] * 20


_CRASHES = """
import os
from pipelines.serving.server.log_filter import thinned_stderr
with thinned_stderr():
    os.write(2, b"noise 1\\n" * 50)
    print("out")
    os.write(2, b"the last words, without an end of line")
    {end}
"""


def _ended(end: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", _CRASHES.format(end=end)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_crash_keeps_its_last_words():
    crashed = _ended("import sys; sys.stdout.flush(); os.abort()")
    assert crashed.returncode == -6
    assert crashed.stdout == "out\n"
    assert crashed.stderr.startswith("noise 1\n" * 5)
    assert crashed.stderr.count("noise 1") == 5
    assert "the last words, without an end of line" in crashed.stderr
    assert "(45 more like this: noise #)" in crashed.stderr


def test_an_error_comes_behind_what_was_said_before():
    failed = _ended("raise SystemExit('zoo: a sentence')")
    assert failed.returncode == 1
    assert failed.stderr.rstrip().endswith("zoo: a sentence")
