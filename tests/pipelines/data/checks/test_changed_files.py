"""A file that breaks after the check is named; other errors stay as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """20 images in each of two classes."""
    rng = np.random.default_rng(0)
    for i in range(40):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).save(path)
    return tmp_path / "photos"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def reference(photos: Path, options: str) -> DatasetRef:
    return DatasetRef.parse(f"dir:{photos}{options}")


@pytest.mark.parametrize("break_it", [cut, Path.unlink], ids=["cut", "vanished"])
def test_file_broken_after_the_check_is_named(photos: Path, break_it) -> None:
    split = load(reference(photos, "")).train
    stream = batches(split, input_size_px=8, batch_size=28)
    with broken_files_named(split):
        assert len(list(stream)) == 1
    break_it(Path(split.inputs.paths[3]))
    with (
        pytest.raises(
            DataError,
            match=rf"of the train split(.|\n)*1 of 28(.|\n)*"
            rf"{split.inputs.paths[3]}: (cut-short|empty|cannot be read)",
        ),
        broken_files_named(split),
    ):
        list(stream)


def test_file_of_another_kind_is_named(photos: Path) -> None:
    split = load(reference(photos, "")).train
    assert split.inputs.kinds == {"PNG"}
    path = Path(split.inputs.paths[3])
    with Image.open(path) as image:
        image.load()
    image.save(path, "JPEG")
    with (
        pytest.raises(DataError, match=rf"{path}: a JPEG, where the kinds .* were PNG"),
        broken_files_named(split),
    ):
        list(batches(split, input_size_px=8, batch_size=28))


def test_error_not_of_files_stays(photos: Path) -> None:
    split = load(reference(photos, "")).train
    with pytest.raises(tf.errors.UnimplementedError), broken_files_named(split):
        raise tf.errors.UnimplementedError(None, None, "another thing")
