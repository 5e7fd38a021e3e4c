import json
import platform
import shlex
import sys

import pytest

from pipelines.runtime import environment


def test_versions_are_those_that_are_installed():
    versions = environment.installed_versions()
    assert versions["python"] == platform.python_version()
    assert {"zootune", "keras", "numpy"} <= set(versions)
    assert "tensorflow" in versions or "tensorflow-cpu" in versions


def test_the_command_can_be_pasted_into_a_shell(monkeypatch):
    words = ["zoo", "train", "--config.data=dir:my photos?limit=9&seed=1"]
    monkeypatch.setattr(sys, "argv", words)
    assert shlex.split(str(environment.describe()["command"])) == words


def test_the_description_fits_into_json():
    values = json.loads(json.dumps(environment.describe()))
    assert set(values) == {"versions", "platform", "processor_count", "command"}


def test_peak_memory_is_in_bytes_and_grows():
    before = environment.peak_memory_bytes()
    held = bytearray(before + 64 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    assert environment.peak_memory_bytes() >= before + 32 * 2**20
    assert 10 * 2**20 < before < 64 * 2**30


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
def test_a_peak_of_memory_can_be_forgotten(fresh_process):
    code = (
        "from pipelines.runtime import environment\n"
        "before = environment.peak_memory_bytes()\n"
        "large = b'x' * 300_000_000\n"
        "peak = environment.peak_memory_bytes()\n"
        "assert peak > before + 250_000_000\n"
        "del large\n"
        "assert environment.peak_memory_bytes() > peak - 10_000_000\n"
        "assert environment.forget_peak_memory()\n"
        "assert environment.peak_memory_bytes() < before + 50_000_000\n"
    )
    ended = fresh_process(code)
    assert ended.returncode == 0, ended.stderr
