"""Isolation for all tests: no network but this machine, and seeds that are fixed."""

import itertools
import os
import random
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support import warm_python

# A shell that starts a job in the background has it ignore SIGINT, and children would
# inherit that: those that tests interrupt could not be.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# The proof of every export that a test makes would import TensorFlow again. Processes
# of users do: runs of `zoo train` that a test starts know nothing of this.
subprocess.Popen = warm_python.ProofPopen


def pytest_unconfigure() -> None:
    """Writes the CPU seconds of a part of the gate, which is no child of it."""
    if path := os.environ.get("ZOOTUNE_PART_SECONDS"):
        Path(path).write_text(f"{sum(os.times()[:4]):.0f}")


_numbers = itertools.count()
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch):
    """A test that reaches for the internet fails, with the address in its message."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in _LOOPBACK:
            raise OSError(f"A test tried to reach {address}; only loopback is allowed.")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _seeded():
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _own_store(monkeypatch, tmp_path_factory):
    """Every test has a store of its own; it is made only if something is fetched."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_numbers))
    monkeypatch.setenv("ZOOTUNE_HOME", str(home))
    monkeypatch.delenv("ZOOTUNE_OFFLINE", raising=False)
