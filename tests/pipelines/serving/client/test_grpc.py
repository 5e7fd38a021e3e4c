"""The gRPC client: tokens, refusals, forks, and one example."""

import logging
import os
import socket
import time

import pytest

from pipelines.errors import DataError
from pipelines.serving.client import GrpcClient, ServerError


def test_single_example_is_refused_before_asking():
    client = GrpcClient("127.0.0.1:9", model="m")
    for example in ("a text", b"bytes", 7, None):
        with pytest.raises(DataError, match="list"):
            client.predict(example)


def test_plain_token_gives_a_warning(caplog):
    GrpcClient("localhost:1", model="m", token="t").close()
    assert not caplog.records
    GrpcClient("far.example:1", model="m", token="t").close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_client_gives_up_in_time():
    with socket.socket() as held:  # bound and not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        client = GrpcClient(address, model="m", retries=50)
        started = time.monotonic()
        with pytest.raises(ServerError):
            client.predict([b"x"], timeout_seconds=1)
        assert time.monotonic() - started < 3


def test_client_of_another_process_is_refused(monkeypatch):
    client = GrpcClient("127.0.0.1:9", model="m")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="before the process was forked"):
        client.predict([b"x"])
