import dataclasses

import numpy as np
import pytest

from pipelines.errors import ConfigError
from pipelines.methods.few_shot.kept import by_class
from pipelines.methods.few_shot.saved import State, load, save
from pipelines.methods.few_shot.vectors import Normalization


@pytest.fixture
def state():
    features = np.arange(12, dtype=np.float16).reshape(4, 3)
    contents = [b"1", b"2", b"3", b"4"]
    return State(
        parameters={"backbone": "tiny_image", "base": None},
        head="lda",
        fingerprint="f" * 64,
        reference="dir:photos",
        normalization=Normalization(np.zeros(3, np.float32), np.ones(3, np.float32)),
        kept=by_class(features, np.array([0, 1, 0, 1]), ["a", "b"], contents),
    )


def test_state_comes_back_field_by_field(state, tmp_path):
    for written in (state, dataclasses.replace(state, normalization=None)):
        save(written, tmp_path / "shots.npz")
        read = load(tmp_path / "shots.npz")
        for name in ("parameters", "head", "fingerprint", "reference"):
            assert getattr(read, name) == getattr(written, name)
        assert (read.normalization is None) == (written.normalization is None)
        assert read.kept.names == written.kept.names
        for name, rows in read.kept.classes.items():
            np.testing.assert_array_equal(
                rows.features, written.kept.classes[name].features
            )
            assert (
                rows.contents.tolist() == written.kept.classes[name].contents.tolist()
            )
    assert [path.name for path in tmp_path.iterdir()] == ["shots.npz"]


def test_other_files_are_refused(tmp_path):
    other = tmp_path / "other.npz"
    for write in (lambda: np.savez(other, x=1), lambda: other.write_bytes(b"PK")):
        write()
        with pytest.raises(ConfigError, match="cannot be read as a few-shot"):
            load(other)
