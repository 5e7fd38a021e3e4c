"""A SavedModel is loaded from its own folder, whatever that is called."""

import shutil

import pytest
import tensorflow as tf

from pipelines.serving.loading import load_saved_model


def _saved(folder, value: float) -> None:
    module = tf.Module()
    module.weight = tf.Variable(value)
    module.serve = tf.function(lambda: module.weight + 0.0, input_signature=[])
    tf.saved_model.save(module, str(folder), {"serve": module.serve})


@pytest.mark.parametrize("name", ["plain", "lr[0.1]", "a*b", "{x}", "what?"])
def test_folder_may_be_named_like_a_pattern(tmp_path, name):
    _saved(tmp_path / "other", 1.0)
    shutil.copytree(tmp_path / "other", tmp_path / "axb")
    _saved(tmp_path / "mine", 2.0)
    (tmp_path / "mine").rename(tmp_path / name)
    loaded = load_saved_model(tmp_path / name)
    assert loaded.serve().numpy() == 2.0


def test_folder_without_a_model_leaves_no_link(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match="does not exist"):
        load_saved_model(tmp_path / "a*b")
    assert not list(tmp_path.glob("zootune-*"))
