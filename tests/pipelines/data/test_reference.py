"""A reference says what it says, and a misspelt one is answered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError

ROUND_TRIPS = [
    DatasetRef("dir", "photos"),
    DatasetRef("dir", "/a b/c?d%e%3F"),
    DatasetRef("dir", "C:/photos", validation=0.1, test=0.25, seed=7, limit=100),
    DatasetRef("dir", "photos", group=r"^(p\d+)?[_&%+ =](?:x|y)%26"),
    DatasetRef("npz", "x.npz", validation=1 / 3),
    DatasetRef("builtin", "mnist_5k", limit=300),
    DatasetRef("dir", "scans", maximum_megapixels=120.5),
    DatasetRef("builtin", ""),
    DatasetRef("tfds", "made/a:1.0.0", data_dir="/a & b", group="patient"),
    DatasetRef("tfrecord", "/a/*-?.tfrecord", image="image/encoded", label="a&b"),
]


@pytest.mark.parametrize("ref", ROUND_TRIPS, ids=str)
def test_text_round_trips(ref: DatasetRef) -> None:
    assert DatasetRef.parse(str(ref)) == ref


def test_parse_reads_every_option() -> None:
    text = "dir:photos?validation=0.1&test=0.2&seed=3&group=(a+?)_&limit=50"
    expected = DatasetRef("dir", "photos", 0.1, 0.2, 3, "(a+?)_", 50)
    assert DatasetRef.parse(text) == expected
    assert str(expected) == text


def test_defaults_stay_unsaid() -> None:
    assert str(DatasetRef.parse("dir:photos?seed=0&test=0.15")) == "dir:photos"


REFUSED = [
    ("photos", "needs a scheme, as in 'dir:photos'"),
    (
        "dri:photos",
        "Unknown scheme 'dri'.*builtin, csv, dir, hf, memory, npz, .*mean 'dir'",
    ),
    ("dir:", "'dir:' needs a path"),
    ("dir:p?validaton=0.2", "Unknown option 'validaton'.*mean 'validation'"),
    ("dir:p?on_bat=skip", "Unknown option .on_bat.*mean .on_bad."),
    ("dir:p?seed", "'seed' needs a value"),
    ("dir:p?seed=1&seed=2", "'seed' is given twice"),
    ("dir:p?seed=one", "seed='one' is not a whole number"),
    ("dir:p?seed=-1", "seed=-1 is negative"),
    ("dir:p?test=x", "test='x' is not a number"),
    ("dir:p?test=0", "test=0.0 is out of range"),
    ("dir:p?test=0.51", "test=0.51 is out of range"),
    ("dir:p?validation=nan", "validation=nan is out of range"),
    ("dir:p?validation=0.5&test=0.5", "leave nothing to train on"),
    ("dir:p?limit=0", "limit=0 keeps nothing"),
    ("dir:p?maximum_megapixels=0", "more than 0 and at most 500"),
    ("dir:p?maximum_megapixels=501", "maximum_megapixels=501 is out of range"),
    ("dir:p?group=", "group= is empty"),
    (
        "npz:a.npz?group=(x)",
        "group= .* works with 'csv:' and .*'npz:'. An npz",
    ),
    ("dir:p?image=x", "image= names a column or a key, and works with 'csv:' and"),
    ("tfds:mnist?split=x", "split= .* not with 'tfds:'. The splits of TensorFlow"),
    ("tfrecord:a?data_dir=x", "data_dir= is the folder .* works with 'tfds:', not"),
    ("tfrecord:a?image=x&text=y", "image= and text= are both given"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[t for t, _ in REFUSED])
def test_refusals_say_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DatasetRef.parse(text)


def test_the_edges_of_the_ranges_are_allowed() -> None:
    ref = DatasetRef.parse("dir:p?validation=0.5&test=0.49&limit=1")
    assert (ref.validation, ref.test, ref.limit) == (0.5, 0.49, 1)


def test_parsing_and_splitting_import_no_tensorflow() -> None:
    program = (
        "import sys; import pipelines.data.reference, pipelines.data.splits; "
        "from pipelines.data.readers import arrays, builtin, folder; "
        "sys.exit('tensorflow' in sys.modules or 'mlxtend' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """20 images in each of two classes."""
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def reference(photos: Path, options: str) -> DatasetRef:
    return DatasetRef.parse(f"dir:{photos}{options}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("?on_bad=ignore", "on_bad='ignore' is unknown.*fail.*skip"),
        ("?on_bad=skip&bad_limit=2", r"bad_limit=2\.0 is out of range"),
    ],
)
def test_unknown_option_values_are_refused(
    photos: Path, options: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        reference(photos, options)


def test_a_reference_writes_itself_back() -> None:
    text = "dir:photos?on_bad=skip&bad_limit=0.05"
    assert str(DatasetRef.parse(text)) == text
    assert str(DatasetRef.parse("dir:photos?on_bad=fail")) == "dir:photos"
