"""Examples without labels that a run may learn from, and others that are refused."""

import numpy as np
import pytest

from pipelines.data.domains.pool import read_pool
from pipelines.data.domains.target import FEWEST, source_of
from pipelines.data.load import load
from pipelines.data.reference import DatasetRef
from pipelines.errors import DataError
from tests.support import two_domains

FIELD = {"field": "config.unlabelled"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return two_domains.write(tmp_path_factory.mktemp("pools"))


@pytest.fixture(scope="module")
def splits(folder):
    return load(DatasetRef.parse(f"npz:{folder / two_domains.SOURCE}"))


def _pixels(split):
    return np.stack([split.inputs.pixels[i] for i in range(len(split))])


def _npz(path, x):
    np.savez(path, x=x, y=np.array(["anything"] * len(x)))
    return f"npz:{path}"


def test_pool_has_no_labels_and_no_training_examples(tmp_path, folder, splits):
    with np.load(folder / two_domains.TARGET) as file:
        new = file["x"][:30]
    both = np.concatenate([_pixels(splits.train)[:5], new])
    pool = read_pool(
        _npz(tmp_path / "both.npz", both), source_of(splits), field="config.unlabelled"
    )
    assert (len(pool.split), pool.known) == (30, 5)
    assert set(pool.split.labels) == {0}


def test_pool_that_holds_the_test_set_is_refused(tmp_path, folder, splits):
    with np.load(folder / two_domains.TARGET) as file:
        both = np.concatenate([file["x"][:30], _pixels(splits.test)[:4]])
    with pytest.raises(DataError, match="4 examples of .* in validation or test"):
        read_pool(
            _npz(tmp_path / "both.npz", both),
            source_of(splits),
            field="config.unlabelled",
        )


def test_pool_of_training_examples_is_refused(tmp_path, splits):
    same = _npz(tmp_path / "same.npz", _pixels(splits.train))
    with pytest.raises(DataError, match=f"holds 0 examples .* and {FEWEST} at least"):
        read_pool(same, source_of(splits), **FIELD)


def test_pool_of_another_modality_is_refused(tmp_path, splits):
    texts = _npz(tmp_path / "t.npz", np.array([f"text {i}" for i in range(40)]))
    with pytest.raises(DataError, match="holds texts, but the source has images"):
        read_pool(texts, source_of(splits), **FIELD)
