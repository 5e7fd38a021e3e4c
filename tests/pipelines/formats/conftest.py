"""Versions in several formats, which tests only read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import pipelines
from pipelines.cli import main
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.formats import conversion
from pipelines.formats.conversion import convert
from pipelines.formats.targets import TARGETS
from pipelines.serving import artifact

FORMATS = "savedmodel,litert-float32,litert-float16,onnx"


@pytest.fixture(scope="package")
def exported(finished_run: Path, tmp_path_factory) -> Path:
    """The newest version under a base that had one already, for reading only."""
    base = tmp_path_factory.mktemp("served") / "digits"
    assert main(["export", str(finished_run), "--to", str(base)]) == 0
    command = ["export", str(finished_run), "--to", str(base), "--format", FORMATS]
    assert main(command) == 0
    assert artifact.versions(base) == [1, 2]
    return base / "2"


@pytest.fixture(scope="package")
def digits(finished_run: Path) -> np.ndarray:
    """The pixels of the test split."""
    config = json.loads((finished_run / "config.json").read_text())
    test = load(DatasetRef.parse(config["data"])).test
    ((pixels, _),) = batches(test, input_size_px=32, batch_size=len(test))
    return pixels.numpy()


@pytest.fixture(scope="package")
def expected(exported: Path, digits: np.ndarray) -> np.ndarray:
    """The probabilities of the SavedModel for the test split."""
    return pipelines.load(exported).probabilities(digits)


@pytest.fixture
def copied_run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def coarse(monkeypatch) -> None:
    """Every format has eight bits, chosen for black images: far too coarse."""
    eight_bits = next(target for target in TARGETS if target.name == "litert-int8")

    def convert_coarsely(target, predictor, representative):
        return convert(eight_bits, predictor, np.zeros_like(representative[:1]))

    monkeypatch.setattr(conversion, "convert", convert_coarsely)
