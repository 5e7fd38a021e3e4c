"""The server under test: started here, or named by the environment."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import urllib.parse
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.support.servers import Answer, ask, serving


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A server's two addresses; `is_ours` if it was started here."""

    rest: str
    grpc: str
    is_ours: bool

    def request(
        self, method: str, path: str, body: Any = None, headers: Any = None
    ) -> Answer:
        address = urllib.parse.urlsplit(self.rest).netloc
        connection = http.client.HTTPConnection(address, timeout=60)
        with contextlib.closing(connection):
            return ask(connection, method, path, body, headers=headers)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        return self.request("POST", path, body)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory) -> Iterator[Endpoint]:
    if "BASE_URL" in os.environ:
        yield Endpoint(os.environ["BASE_URL"], os.environ["GRPC_ADDR"], is_ours=False)
        return
    from tests.conformance import models

    config = models.make(tmp_path_factory.mktemp("models"))
    with serving("--model-config", config) as served:
        rest = f"http://127.0.0.1:{served.rest_port}"
        yield Endpoint(rest, served.grpc_address, is_ours=True)


@pytest.fixture(scope="session")
def channel(endpoint) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(endpoint.grpc) as opened:
        yield opened
