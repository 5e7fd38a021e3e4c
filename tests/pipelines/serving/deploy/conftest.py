"""An artifact, the files of all targets for it, and what is in them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pipelines.cli import main
from tests.support import small_artifacts

NAME = "tiny-digits"
READY = f"/v1/models/{NAME}/metadata"


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """The base folder of an artifact of images with one version, for reading only."""
    base = tmp_path_factory.mktemp("deployed") / "run" / "artifact"
    small_artifacts.make(base / "1", ["cat", "dog"], modality="image")
    return base


@pytest.fixture(scope="session")
def folder(base, tmp_path_factory) -> Path:
    """The files of all targets for the newest version."""
    into = tmp_path_factory.mktemp("deployed") / "files"
    assert main(["deploy", str(base), "--to", str(into), "--name", NAME]) == 0
    return into


@pytest.fixture(scope="session")
def documents(folder) -> dict[str, dict]:
    """Every YAML file, parsed, by its path."""
    paths = sorted(folder.rglob("*.yaml"))
    return {
        path.relative_to(folder).as_posix(): yaml.safe_load(path.read_text())
        for path in paths
    }


def containers_of(documents) -> dict[str, dict]:
    """Every container of every file for a cluster, and of the commands beside them."""
    found = {}
    for path, document in documents.items():
        for where, one in every_mapping(document, path):
            # A container, or KServe's, has an image or what becomes one.
            if {"image", "modelFormat"} & set(one) and not path.startswith("docker"):
                found[where] = one
    return found


def every_mapping(value, where):
    if isinstance(value, dict):
        yield where, value
        for key, one in value.items():
            yield from every_mapping(one, f"{where}/{key}")
    if isinstance(value, list):
        for i, one in enumerate(value):
            yield from every_mapping(one, f"{where}/{i}")


@pytest.fixture(scope="module")
def with_commands(folder, documents) -> dict[str, dict]:
    """The files, and the pods that the README makes by a command."""
    text = (folder / "README.md").read_text()
    pods = re.findall(r"--overrides='(.+?)'", text)
    assert len(pods) == 2
    return {**documents, **{f"README {i}": json.loads(p) for i, p in enumerate(pods)}}


def flags_of(command: list[str]) -> dict[str, str]:
    split = (flag.removeprefix("--").partition("=") for flag in command)
    return {name: value for name, _, value in split}
