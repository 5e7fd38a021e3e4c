"""A SavedModel opens by its own functions, or an error says what it lacks."""

import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.support import tiny_modules
from zoo.errors import BackboneError
from zoo.saved_model.layer import SavedModelLayer
from zoo.saved_model.reusable import open_model

SIZE = 16
IMAGES = np.random.default_rng(0).random((8, SIZE, SIZE, 3), np.float32)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Modules of three kinds, for reading only."""
    keras.utils.set_random_seed(0)
    base = tmp_path_factory.mktemp("modules")
    network = tiny_modules.keras_network(SIZE)
    return {
        "TF Hub": tiny_modules.save_hub(base / "hub"),
        "signature": tiny_modules.save_signature(base / "signature"),
        "ExportArchive with training": tiny_modules.save_archive(
            base / "archive", network, with_training=True
        ),
    }


def test_modes_and_variables_of_a_hub_module(folders):
    opened = open_model(folders["TF Hub"])
    assert opened.inference.training is not True
    assert opened.training is not None
    assert (len(opened.trainable), len(opened.fixed)) == (2, 2)


def test_signature_alone_gives_fixed_weights(folders):
    opened = open_model(folders["signature"])
    assert opened.training is None
    assert (len(opened.trainable), len(opened.fixed)) == (0, 3)


def test_empty_folder_is_named(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(BackboneError, match=r"no saved_model\.pb.*readme\.txt"):
        SavedModelLayer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_damaged_graph_is_refused(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    with pytest.raises(BackboneError, match=r"saved_model\.pb is (damaged|empty)"):
        SavedModelLayer(tmp_path)


def test_missing_variables_are_refused(folders, tmp_path):
    folder = shutil.copytree(folders["TF Hub"], tmp_path / "module")
    shutil.rmtree(folder / "variables")
    with pytest.raises(BackboneError, match="TensorFlow cannot read the SavedModel"):
        SavedModelLayer(folder)


def test_tf1_format_is_refused(tmp_path):
    folder = tiny_modules.save_tf1(tmp_path / "module", tag_sets=(("serve",),))
    with pytest.raises(BackboneError, match="is in the TF1 format"):
        SavedModelLayer(folder)


def test_several_meta_graphs_need_tags(folders, tmp_path):
    """TensorFlow reads the one that is chosen through its signatures."""
    folder = shutil.copytree(folders["signature"], tmp_path / "module")
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    saved.meta_graphs.add().CopyFrom(saved.meta_graphs[0])
    saved.meta_graphs[1].meta_info_def.tags[:] = ["train"]
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    tags = r"2 MetaGraphs, with the tags \[\['serve'\], \['train'\]\]"
    for tags_given in (None, ["eval"]):
        with pytest.raises(BackboneError, match=rf"{tags}, and tags=.* chooses no"):
            SavedModelLayer(folder, tags=tags_given)
    plain = SavedModelLayer(folders["signature"])
    chosen = SavedModelLayer(folder, tags=["train"])
    np.testing.assert_array_equal(chosen(IMAGES)["default"], plain(IMAGES)["default"])


def test_absent_signature_is_refused(tmp_path, folders):
    with pytest.raises(BackboneError, match=r"no signature 'rank'.*\['serving_def"):
        SavedModelLayer(folders["signature"], signature="rank")
    named = tiny_modules.save_signature(tmp_path / "named", name="embed")
    assert SavedModelLayer(named).statistics
    assert SavedModelLayer(named, signature="embed").statistics


def test_model_without_any_function_is_refused(tmp_path):
    tf.saved_model.save(tf.train.Checkpoint(v=tf.Variable(1.0)), tmp_path / "empty")
    with pytest.raises(BackboneError, match="no signature .* no function to call"):
        SavedModelLayer(tmp_path / "empty")


@pytest.mark.parametrize("option", ["call_endpoint", "training_endpoint"])
def test_absent_endpoint_is_refused(folders, option):
    folder = folders["ExportArchive with training"]
    with pytest.raises(BackboneError, match=r"no endpoint 'run'. It has \['call_tr"):
        SavedModelLayer(folder, **{option: "run"})
    names = {"call_endpoint": "serve", "training_endpoint": "call_training"}
    assert SavedModelLayer(folder, **names).module.training


def test_function_of_two_tensors_is_refused(tmp_path):
    published = tf.train.Checkpoint()
    spec = tf.TensorSpec([None])
    published.__call__ = tf.function(lambda a, b: a + b, input_signature=[spec] * 2)
    tf.saved_model.save(published, tmp_path / "pair")
    with pytest.raises(BackboneError, match=r"takes 2 tensors; .* \['a', 'b'\]"):
        SavedModelLayer(tmp_path / "pair")
