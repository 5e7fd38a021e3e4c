"""A service may have no standard streams, or a logger in their place."""

import os
import subprocess
import sys

import pytest

from pipelines.training.phases.fitting import _verbosity

COMMAND = "import sys; from pipelines.cli import main; sys.exit(main())"
# Opens a file where a stream was, and has C++ write to stderr, as TensorFlow does.
NUMBERS = """
import os, sys
from pipelines.runtime import standard_streams
standard_streams.open_closed()
with open(sys.argv[1], "w") as file:
    assert file.fileno() > 2, file.fileno()
    os.write(2, b"noise")
    os.write(1, b"noise")
    print("nowhere", file=sys.stderr)
    print("nowhere")
    file.write("whole")
"""


def ran(redirected: str, *command: str) -> subprocess.CompletedProcess:
    """A Python program whose streams a shell has closed."""
    quoted = '"$0" "$@" ' + redirected
    return subprocess.run(
        ["/bin/sh", "-c", quoted, sys.executable, "-c", *command],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_stream_number_is_given_to_no_file(tmp_path, closed):
    path = tmp_path / "file"
    ended = ran(closed, NUMBERS, str(path))
    assert ended.returncode == 0, ended.stderr
    assert path.read_text() == "whole"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_ends_as_it_does_with_streams(closed):
    assert ran(closed, COMMAND, "list", "tiny_image").returncode == 0
    assert ran(closed, COMMAND, "info", "tiny_imag").returncode == 4
    shown = ran("2>&-", COMMAND, "list", "tiny_image").stdout
    assert shown.splitlines()[1].startswith("tiny_image")


class Log:
    def write(self, text):
        return len(text)

    def flush(self):
        pass


def test_what_can_only_write_is_no_terminal():
    assert _verbosity(None) == 0
    assert _verbosity(Log()) == 2
    controlling, terminal = os.openpty()
    with os.fdopen(terminal, "w") as stream:
        assert _verbosity(stream) == 1
    os.close(controlling)
