"""A finished run on three digits, and the images of a fourth."""

import shutil

import numpy as np
import pytest
from PIL import Image

import pipelines
from pipelines.data.readers.builtin import read
from pipelines.features.kept_features import KeptFeatures
from tests.pipelines.classes.features import kept_split

NAMES = ("zero", "one", "two", "three")
PER_CLASS = {"train": 16, "validation": 8, "test": 6}


def _save(folder, pixels, rows):
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        Image.fromarray(pixels[row]).resize((32, 32)).save(folder / f"{row}.png")


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Folders `old` with splits of three classes, `all` with four, and `new`."""
    root, examples = tmp_path_factory.mktemp("digits"), read("digits")
    for label, name in enumerate(NAMES):
        rows = iter(np.flatnonzero(examples.labels == label))
        for split, count in PER_CLASS.items():
            some = [next(rows) for _ in range(count)]
            _save(root / "all" / split / name, examples.inputs.pixels, some)
            if name != NAMES[-1]:
                _save(root / "old" / split / name, examples.inputs.pixels, some)
            else:
                _save(root / "new", examples.inputs.pixels, some)
    return root


@pytest.fixture(scope="session")
def settings():
    return {"backbone": "tiny_image", "weights": "none", "strategy": "head_only"}


@pytest.fixture(scope="session")
def trained(digits, settings, tmp_path_factory):
    """The folder of the run, for reading only."""
    folder = tmp_path_factory.mktemp("classes") / "run"
    pipelines.fine_tune(f"dir:{digits / 'old'}", workdir=folder, **settings)
    return folder


@pytest.fixture
def run_folder(trained, tmp_path):
    """A copy of the run, to change."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def kept():
    """Features of three classes; the training ones in two views."""
    return KeptFeatures(
        class_names=("a", "b", "c"),
        reads=("first", "last"),
        grid=1,
        widths=(2, 4),
        backbone="0" * 64,
        train=kept_split([0, 1, 2, 0, 1, 2, 0, 1, 2], views=2),
        validation=kept_split([0, 1, 2], seed=1, start=100),
        test=kept_split([2, 1, 0], seed=2, start=200),
    )
