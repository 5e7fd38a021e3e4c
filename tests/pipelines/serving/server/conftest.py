"""One artifact and a few plain models, and the servers that many tests share."""

from __future__ import annotations

import base64
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.config import ExportConfig
from pipelines.serving.naming import DEFAULT
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.settings import Access, Limits, Settings
from tests.pipelines.conftest import TINY_DATA
from tests.support import small_artifacts
from tests.support.servers import (
    ServerProcess,
    ServerThread,
    serving,
    serving_here,
)

NAME = "digits"
TOKEN = "Secret-1"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Path:
    """The base folder of an artifact of images that explains, for reading only."""
    folder = tmp_path_factory.mktemp("explained") / "run"
    pipelines.fine_tune(
        TINY_DATA,
        backbone="tiny_image",
        weights="none",
        strategy="head_only",
        export=ExportConfig(explain=True),
        workdir=folder,
    )
    return folder / "artifact"


@pytest.fixture(scope="session")
def texts(tmp_path_factory) -> Path:
    """The base folder of an artifact of texts, for reading only."""
    base = tmp_path_factory.mktemp("texts")
    small_artifacts.make(base / "1", ["bad", "good"])
    return base


@pytest.fixture(scope="session")
def rows(tmp_path_factory) -> Path:
    """The base folder of a model of rows of a table, for reading only."""
    base = tmp_path_factory.mktemp("rows")
    small_artifacts.make_rows(base / "1")
    return base


@pytest.fixture(scope="session")
def photos() -> list[bytes]:
    """Encoded images that the artifact can read."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 40, 30, 3), np.uint8)
    return [tf.io.encode_png(image).numpy() for image in pixels]


@pytest.fixture(scope="session")
def lines(tmp_path_factory) -> Path:
    """Versions 1 to 4 of `y = x / 2 + version`, for copying."""
    from tests.conformance import models

    base = tmp_path_factory.mktemp("lines")
    for number in range(1, 5):
        models.save(models.Line(0.5, float(number)), base / str(number), only=DEFAULT)
    return base


@pytest.fixture(scope="session")
def slow(tmp_path_factory) -> Path:
    """A model that takes as many milliseconds as it is asked for, for reading only."""
    from tests.conformance import models

    base = tmp_path_factory.mktemp("models") / "slow"
    models.save(models.Slow(), base / "1")
    return base


@pytest.fixture(scope="session")
def served_artifact(
    artifact, texts, rows, photos, tmp_path_factory
) -> Iterator[ServerProcess]:
    """A process with artifacts, a model of rows and the playground, for whoever asks.

    Its first request was for a photo, and was timed.
    """
    config = tmp_path_factory.mktemp("config") / "models.config"
    config.write_text(models_config(digits=artifact, rows=rows, texts=texts))
    flags = ("--playground", "--max-body-mb", "2", "--header-seconds", "2")
    with serving("--model-config", config, *flags) as served:
        photo = {"b64": base64.b64encode(photos[0]).decode()}
        started = time.monotonic()
        served.post(f"/v1/models/{NAME}:predict", {"instances": [photo]})
        served.first_request_seconds = time.monotonic() - started
        yield served


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> Path:
    """A certificate for this machine; its key lies beside it."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
        + ["-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem"


@pytest.fixture(scope="session")
def guarded(texts, lines, certificate) -> Iterator[ServerThread]:
    """A server behind TLS and a token, with the playground."""
    access = Access(
        token=TOKEN,
        tls_certificate=certificate,
        tls_key=certificate.with_name("key.pem"),
        cors=True,
    )
    settings = Settings(
        rest_port=0,
        grpc_port=0,
        playground=True,
        limits=Limits(header_seconds=1),
        access=access,
    )
    models = [ModelConfig("diary", texts), ModelConfig("line", lines)]
    with serving_here(models, settings) as served:
        yield served


@pytest.fixture(scope="session")
def impatient(slow) -> Iterator[ServerThread]:
    """A server that gives a request a fifth of a second, and is as it comes."""
    settings = Settings(rest_port=0, grpc_port=0, limits=Limits(timeout_seconds=0.2))
    with serving_here([ModelConfig("slow", slow)], settings) as served:
        yield served


@pytest.fixture
def base(tmp_path, lines) -> Path:
    """A folder of its own with version 1."""
    publish(lines, tmp_path / "line", 1)
    return tmp_path / "line"


def models_config(**bases: Path) -> str:
    """The text of a `models.config`."""
    configs = "".join(
        f" config {{ name: '{name}' base_path: '{base}' }}"
        for name, base in bases.items()
    )
    return f"model_config_list {{{configs} }}"


def publish(lines: Path, base: Path, number: int, *, source: int | None = None) -> Path:
    """Makes a version appear by one rename, as an export does."""
    base.mkdir(parents=True, exist_ok=True)
    unpublished = base / f".unpublished-{number}"
    shutil.copytree(lines / str(source or number), unpublished)
    return unpublished.rename(base / str(number))


@pytest.fixture
def _many_files():
    """As many open files as the test is allowed to have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
