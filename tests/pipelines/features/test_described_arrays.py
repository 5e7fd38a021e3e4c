"""Files of arrays with a description."""

import json

import numpy as np
import pytest

from pipelines.features import described_arrays


def test_file_has_arrays_and_their_description(tmp_path):
    path = tmp_path / "kept.npz"
    described_arrays.save(path, {"names": ["a"]}, {"rows": np.arange(3)})
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(str(file["about"])) == {"names": ["a"]}
        assert file["rows"].tolist() == [0, 1, 2]
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.npz"]


def test_failed_write_leaves_the_file_before(tmp_path):
    path = tmp_path / "kept.npz"
    described_arrays.save(path, {}, {"rows": np.arange(3)})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        described_arrays.save(path, {"not of JSON": object()}, {})
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept.npz"]
