"""The index of training examples: what is near, and what a file must hold."""

import numpy as np
import pytest

from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving.training_data.neighbours import (
    FILE,
    NeighbourIndex,
    load,
    most_rows,
)

FEATURES = np.array([[3, 0], [0, 2], [0, 0], [-1, 0]], np.float32)
INDEX = NeighbourIndex.of(FEATURES, ["east", "north", "zero", "west"], list("abcd"))


def test_nearest_are_by_direction():
    (near,) = INDEX.nearest(np.array([[9.0, 0.0]]), 3)
    assert [row.name for row in near] == ["east", "north", "west"]
    assert [row.label for row in near] == ["a", "b", "d"]
    np.testing.assert_allclose(
        [row.distance for row in near], [0, np.sqrt(2), 2], atol=1e-3
    )


def test_nearest_equals_a_plain_search():
    draw = np.random.default_rng(0)
    known, asked = draw.normal(size=(50, 6)), draw.normal(size=(20, 6))
    names = [str(i) for i in range(50)]
    index = NeighbourIndex.of(known, names, names)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (known, asked)]
    away = np.linalg.norm(unit[1][:, None] - unit[0][None], axis=2)
    plain = away.argmin(axis=1).tolist()
    nearest = [int(row[0].name) for row in index.nearest(asked, 1)]
    assert nearest == plain


def test_rows_without_length_have_no_neighbours():
    assert INDEX.nearest(np.zeros((1, 2)), 2) == [[]]
    assert len(INDEX.names) == 3
    assert len(INDEX.nearest(np.ones((1, 2)), 99)[0]) == 3
    with pytest.raises(ConfigError, match="ask for 1 neighbour or more"):
        INDEX.nearest(np.ones((1, 2)), 0)


def test_saved_index_comes_back(tmp_path):
    INDEX.save(tmp_path)
    first = (tmp_path / FILE).read_bytes()
    again = load(tmp_path)
    assert again.features.dtype == np.float16
    assert again.names.tolist() == ["east", "north", "west"]
    INDEX.save(tmp_path)
    assert (tmp_path / FILE).read_bytes() == first
    assert most_rows(1280) * 1280 <= 2**25


def test_missing_or_broken_index_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="Train with config.export.neighbours=True"):
        load(tmp_path)
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_bytes(b"PK")
    with pytest.raises(ArtifactError, match="cannot be read: .* Export the run again"):
        load(tmp_path)
    np.savez(tmp_path / FILE, features=np.ones((2, 1)), names=["a"], labels=["a"])
    with pytest.raises(ArtifactError, match="do not fit each other"):
        load(tmp_path)
