"""Unlabelled examples are new ones, of the kind of the data, and not held out."""

import numpy as np
import pytest
from PIL import Image

from pipelines.errors import DataError
from pipelines.stages.distillation.pool import read_pool, with_pool


def _saved(path, pixels):
    np.savez(path, x=pixels, y=np.array(["a", "b"] * len(pixels))[: len(pixels)])
    return f"npz:{path}"


def test_pool_is_what_training_does_not_have(splits, tmp_path):
    known = splits.train.inputs.pixels[:3]
    both = np.concatenate([known, 255 - known])
    pool = read_pool(_saved(tmp_path / "pool.npz", both), splits)
    np.testing.assert_array_equal(pool.pixels, 255 - known)
    joined = with_pool(splits.train.inputs, pool)
    assert len(joined) == len(splits.train) + 3


@pytest.mark.parametrize("name", ["validation", "test"])
def test_pool_with_held_out_examples_is_refused(splits, tmp_path, name):
    pixels = getattr(splits, name).inputs.pixels[:4]
    reference = _saved(tmp_path / "pool.npz", pixels)
    with pytest.raises(DataError, match="in validation or test of the run"):
        read_pool(reference, splits)


def test_pool_of_training_alone_is_refused(splits, tmp_path):
    reference = _saved(tmp_path / "pool.npz", splits.train.inputs.pixels[:4])
    with pytest.raises(DataError, match="holds 0 examples"):
        read_pool(reference, splits)


def test_pool_of_another_kind_is_refused(splits, tmp_path):
    (tmp_path / "words.csv").write_text("text,label\nsome words,a\nothers,b\n")
    with pytest.raises(DataError, match="of the same kind"):
        read_pool(f"csv:{tmp_path / 'words.csv'}", splits)


def test_files_cannot_follow_arrays(splits, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 9, 9, 3)).astype(np.uint8)
    for i, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    pool = read_pool(f"dir:{tmp_path}", splits)
    with pytest.raises(DataError, match="the same form"):
        with_pool(splits.train.inputs, pool)
