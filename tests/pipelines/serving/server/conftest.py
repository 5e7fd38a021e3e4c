"""One tiny artifact and a few plain models, made once and served by many tests."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.config import ExportConfig
from tests.pipelines.conftest import TINY_DATA
from tests.support.servers import Served, serving

NAME = "digits"


@pytest.fixture(scope="session")
def artifact(finished_run) -> Path:
    """The base folder of an artifact of images with one version, for reading only."""
    return finished_run / "artifact"


@pytest.fixture(scope="session")
def explained(tmp_path_factory) -> Path:
    """The base folder of an artifact that says where it looked, for reading only."""
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
def sentences(tmp_path_factory) -> str:
    """A reference to texts of two classes."""
    words = ("sunny", "warm", "rainy", "cold")
    texts = [f"{i} was a {words[i % 4]} day" for i in range(160)]
    labels = ["good" if i % 4 < 2 else "bad" for i in range(160)]
    path = tmp_path_factory.mktemp("texts") / "texts.npz"
    np.savez(path, x=np.array(texts), y=np.array(labels))
    return f"npz:{path}"


@pytest.fixture(scope="session")
def photos() -> list[bytes]:
    """Encoded images that the artifact can read."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 40, 30, 3), np.uint8)
    return [tf.io.encode_png(one).numpy() for one in pixels]


@pytest.fixture(scope="session")
def lines(tmp_path_factory) -> Path:
    """Versions 1 to 4 of `y = x / 2 + version`, for copying."""
    from tests.conformance import models

    base = tmp_path_factory.mktemp("lines")
    for number in range(1, 5):
        models.save(models.Line(0.5, float(number)), base / str(number))
    return base


@pytest.fixture(scope="session")
def served_artifact(artifact) -> Served:
    flags = ("--name", NAME, "--max-body-mb", "2", "--header-seconds", "2")
    with serving(artifact, *flags) as served:
        yield served


@pytest.fixture
def base(tmp_path, lines) -> Path:
    """A folder of its own with version 1."""
    publish(lines, tmp_path / "line", 1)
    return tmp_path / "line"


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
