import dataclasses

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.features import kept_features
from pipelines.features.kept_features import KeptFeatures, KeptSplit


def _split(count, *, views=1):
    rows = np.arange(count)
    return KeptSplit(
        np.random.default_rng(0).normal(size=(views * count, 3)).astype(np.float16),
        rows % 2,
        rows,
        np.array(["0" * 64] * count, "S64"),
        np.array([f"{i}.png" for i in rows], str),
        rows,
    )


@pytest.fixture
def kept():
    train = _split(4, views=2)
    return KeptFeatures(
        ("cat", "dog"), ("last",), 1, (3,), "0" * 64, train, _split(2), _split(2)
    )


def test_load_gives_what_was_saved(kept, tmp_path):
    kept_features.save(kept, tmp_path / "features.npz")
    again = kept_features.load(tmp_path / "features.npz")
    assert again.class_names == ("cat", "dog")
    assert again.train.views == 2
    for name, split in kept.splits.items():
        for field in dataclasses.fields(split):
            saved = getattr(again.splits[name], field.name)
            assert np.array_equal(saved, getattr(split, field.name))


def test_parts_are_those_of_the_blocks(kept):
    two = dataclasses.replace(kept, reads=("a", "b"), widths=(1, 2))
    first, second = two.parts(kept.train.features)
    assert (first.shape, second.shape) == ((8, 1), (8, 2))


@pytest.mark.parametrize("change", ["cut", "missing", "pickle", "misfit"])
def test_load_names_a_file_that_is_damaged(kept, tmp_path, change):
    path = tmp_path / "features.npz"
    kept_features.save(kept, path)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif change == "missing":
        path.unlink()
    elif change == "pickle":
        np.savez(path, about=np.array([{}], object))
    else:
        wrong = dataclasses.replace(kept.test, labels=np.array([0]))
        kept_features.save(dataclasses.replace(kept, test=wrong), path)
    with pytest.raises(ConfigError, match=r"features\.npz cannot be read.*Delete it"):
        kept_features.load(path)


def test_weights_are_kept_and_may_be_missing(kept, tmp_path):
    path = tmp_path / "features.npz"
    weights = np.float32([0, 1, 2, 3])
    train = dataclasses.replace(kept.train, weights=weights)
    kept_features.save(dataclasses.replace(kept, train=train), path)
    again = kept_features.load(path)
    assert again.train.sample_weights.tolist() == [0, 1, 2, 3]
    assert again.test.sample_weights is None
    with np.load(path) as file:
        older = {key: file[key] for key in file if not key.endswith("_weights")}
    np.savez(path, **older)
    assert kept_features.load(path).train.sample_weights is None
