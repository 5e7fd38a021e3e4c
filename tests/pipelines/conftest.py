"""What several tests of the pipeline share: one finished run, and fresh processes."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pipelines
import zoo
from tests.support import warm_python

TINY_DATA = "builtin:digits?limit=120"


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """The folder of a finished run, for reading only.

    The gate trains it once, with the installed package, and names its folder in
    `ZOOTUNE_FINISHED_RUN`. Each of its parts has a copy.
    """
    folder = tmp_path_factory.mktemp("finished") / "run"
    if made := os.environ.get("ZOOTUNE_FINISHED_RUN"):
        return Path(shutil.copytree(made, folder))
    pipelines.fine_tune(
        TINY_DATA,
        backbone="tiny_image",
        weights="none",
        strategy="head_only",
        workdir=folder,
    )
    return folder


@pytest.fixture(scope="session")
def splits():
    """400 digits of 8 by 8 pixels, for reading only."""
    from pipelines.data.load import load
    from pipelines.data.reference import DatasetRef

    return load(DatasetRef.parse("builtin:digits?limit=400"))


@pytest.fixture
def tiny_flags(tmp_path) -> list[str]:
    """Flags of the main job for a run of seconds in `tmp_path / "run"`."""
    return [
        f"--config.data={TINY_DATA}",
        "--config.backbone=tiny_image",
        "--config.weights=none",
        "--config.strategy=head_only",
        "--config.head.epochs=1",
        "--config.batch_size=128",
        f"--config.workdir={tmp_path / 'run'}",
    ]


@pytest.fixture
def fresh_process(tmp_path):
    """Runs Python code with arguments in a new process, in a folder of its own.

    TensorFlow's log level is left to the program, as it is for users. A `warm` process
    has imported TensorFlow: for programs that would, and are not about their start.
    """

    def run(
        code: str, *arguments: str, warm: bool = False, **options
    ) -> subprocess.CompletedProcess:
        unset = ("TF_CPP_MIN_LOG_LEVEL",)
        environment = {k: v for k, v in os.environ.items() if k not in unset}
        environment.update(options.pop("env", {}))
        start = warm_python.run if warm else subprocess.run
        return start(
            [sys.executable, "-c", code, *arguments],
            **{"cwd": tmp_path, "text": True, "timeout": 120, **options},
            capture_output=True,
            env=environment,
            check=False,
        )

    return run


@pytest.fixture
def registered(tmp_path):
    """Registers small rows with weights, as many as asked for, and removes them."""
    names = []

    def register(name, *, of="tiny_image", network=None, **fields):
        path = tmp_path / f"{of}.weights.h5"
        if not path.exists():
            zoo.build(of, weights=None).model.save_weights(path)
        own = zoo.WeightsFile(path.name, license="Apache-2.0", path=str(path))
        row = dataclasses.replace(zoo.get_spec(of), **{"weights": own, **fields})
        zoo.register(dataclasses.replace(row, name=name), network=network)
        names.append(name)

    yield register
    for name in names:
        zoo.unregister(name)
