"""The REST client: names in addresses, tokens, refusals, and one example."""

import logging
import socket
import time
from pathlib import Path

import pytest

from pipelines.errors import DataError
from pipelines.serving.client import RestClient, ServerError


def test_single_example_is_refused_before_asking():
    client = RestClient("http://127.0.0.1:9", model="m")
    for example in ("a text", b"bytes", Path("a.png"), {"text": ["a"]}, 7, None):
        with pytest.raises(DataError, match="list"):
            client.predict(example)


def test_no_examples_ask_nobody():
    assert RestClient("http://127.0.0.1:9", model="m").predict([]) == []


def test_plain_token_gives_a_warning(caplog):
    for url in ("http://127.0.0.1:1", "http://localhost:1", "https://far.example"):
        RestClient(url, model="m", token="t")
    assert not caplog.records
    RestClient("http://far.example", model="m", token="t")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "for everybody on the way to read" in caplog.text


def test_client_gives_up_in_time():
    with socket.socket() as held:  # bound and not listening: connections are refused
        held.bind(("127.0.0.1", 0))
        client = RestClient(
            f"http://127.0.0.1:{held.getsockname()[1]}", model="m", retries=50
        )
        started = time.monotonic()
        with pytest.raises(ServerError):
            client.predict([b"x"], timeout_seconds=1)
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("columns", "names"), [(1, ("target",)), (2, ("target_0", "target_1"))]
)
def test_targets_of_other_servers_are_numbered(monkeypatch, columns, names):
    """TensorFlow Serving does not know the names, and numbers have no `classify`."""
    sizes = [{"size": "-1"}, {"size": str(columns)}]
    default = {
        "inputs": {"image_bytes": {"dtype": "DT_STRING", "tensor_shape": {"dim": []}}},
        "outputs": {"values": {"tensor_shape": {"dim": sizes}}},
    }
    signatures = {"signature_def": {"serving_default": default}}
    answer = {
        "model_spec": {"version": "3"},
        "metadata": {"signature_def": signatures},
    }
    client = RestClient("http://127.0.0.1:9", model="m")
    monkeypatch.setattr(client, "_ask", lambda *_: (answer, {}))
    assert client._describe(None, 0.0).class_names == names
