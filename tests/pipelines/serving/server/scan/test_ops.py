"""Ops that reach outside are refused by name; ordinary models are not."""

import dataclasses
import shutil

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import pipelines
from pipelines.cli import main
from pipelines.errors import ArtifactError
from pipelines.serving import artifact as artifacts
from pipelines.serving.server.models import servable
from pipelines.serving.server.scan import ops
from pipelines.serving.server.settings import Loading
from tests.conformance import models

TEXT = tf.TensorSpec([None], tf.string, name="x")


def saved(folder, function):
    """A SavedModel whose default signature is a function of strings."""

    class Module(tf.Module):
        @tf.function(input_signature=[TEXT])
        def serve(self, x):
            return {"y": function(x)}

    module = Module()
    tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.serve})
    return folder / "1"


def graph_of(folder):
    content = (folder / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]


def read_it(x):
    return tf.map_fn(tf.io.read_file, x)


def write_it(x):
    with tf.control_dependencies([tf.io.write_file("made-by-a-model", x[0])]):
        return tf.identity(x)


def list_it(x):
    return tf.io.matching_files(x)


def print_it(x):
    tf.print(x, output_stream="file://made-by-a-model")
    return tf.identity(x)


def python_it(x):
    return tf.py_function(lambda one: one, [x], tf.string)


def numpy_it(x):
    return tf.numpy_function(lambda one: one, [x], tf.string, stateful=False)


def restore_it(x):
    (found,) = tf.raw_ops.RestoreV2(
        prefix=x[0], tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.string]
    )
    return found


def save_it(x):
    tf.raw_ops.SaveV2(
        prefix=x[0], tensor_names=["a"], shape_and_slices=[""], tensors=[x]
    )
    return tf.identity(x)


def lines_of_it(x):
    return tf.data.TextLineDataset(x).batch(1000).get_single_element()


def cache_it(x):
    cached = tf.data.Dataset.from_tensor_slices(x).cache("made-by-a-model")
    return cached.batch(1000).get_single_element()


ATTACKS = {
    "ReadFile": read_it,
    "WriteFile": write_it,
    "MatchingFiles": list_it,
    "PrintV2": print_it,
    "EagerPyFunc": python_it,
    "PyFuncStateless": numpy_it,
    "RestoreV2": restore_it,
    "SaveV2": save_it,
    "TextLineDataset": lines_of_it,
    "CacheDatasetV2": cache_it,
}


@pytest.mark.parametrize("op", ATTACKS)
def test_what_reaches_outside_is_refused_by_name(tmp_path, monkeypatch, op):
    monkeypatch.chdir(tmp_path)
    folder = saved(tmp_path, ATTACKS[op])
    found = ops.refused_ops(graph_of(folder))
    assert op in found
    with pytest.raises(ArtifactError, match=rf"{op} in .*--allow-ops"):
        servable.load("model", folder, Loading())
    assert not (tmp_path / "made-by-a-model").exists()
    assert op not in ops.refused_ops(graph_of(folder), allowed={op})


def test_outside_reaching_artifact_is_not_evaluated(artifact, tmp_path, capsys):
    """Its manifest is right: whoever made the one has made the other."""
    folder = tmp_path / "1"
    shutil.copytree(artifact / "1", folder)
    evil = saved(tmp_path / "evil", read_it)
    shutil.copy(evil / "saved_model.pb", folder)
    manifest = artifacts.read_manifest(folder)
    files = artifacts.hash_files(folder)
    artifacts.write_manifest(folder, dataclasses.replace(manifest, files=files))
    with pytest.raises(ArtifactError, match="ReadFile in .*was not loaded"):
        pipelines.load(folder)
    assert main(["evaluate", str(folder), "--data", "builtin:digits?limit=40"]) == 4
    assert "ReadFile in" in capsys.readouterr().err


def test_op_allowed_by_name_is_loaded(tmp_path):
    folder = saved(tmp_path, list_it)
    allowed = Loading(allowed_ops=frozenset({"MatchingFiles"}))
    assert servable.load("model", folder, allowed).version == 1


@pytest.mark.parametrize("module", [models.Line(1.0, 2.0), models.Kinds()])
def test_ordinary_models_are_not_refused(tmp_path, module):
    models.save(module, tmp_path / "1")
    assert ops.refused_ops(graph_of(tmp_path / "1")) == {}


def test_an_artifact_is_not_refused(artifact):
    assert ops.refused_ops(graph_of(artifact / "1")) == {}


def test_tables_random_numbers_and_loops_are_not_refused(tmp_path):
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a"], ["b"]), ""
    )

    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.table = table

        @tf.function(input_signature=[TEXT])
        def serve(self, x):
            noise = tf.random.uniform([], 0, 2, tf.int32)
            while noise < 5:
                noise += 1
            rows = tf.data.Dataset.from_tensor_slices(x).shuffle(8).batch(1000)
            return {"y": self.table.lookup(rows.get_single_element())}

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": module.serve})
    assert ops.refused_ops(graph_of(tmp_path / "1")) == {}
    servable.load("model", tmp_path / "1", Loading())


@pytest.mark.parametrize(
    "op",
    ["WordpieceTokenizeWithOffsets", "SentencepieceOp", "RegexSplitWithOffsets"],
)
def test_ops_of_tensorflow_text_are_not_refused(op):
    pytest.importorskip("tensorflow_text")
    meta_graph = saved_model_pb2.SavedModel().meta_graphs.add()
    meta_graph.graph_def.node.add(name="tokens", op=op)
    assert ops.refused_ops(meta_graph) == {}
    meta_graph.graph_def.node.add(name="unknown", op="NobodyKnowsThisOp")
    assert ops.refused_ops(meta_graph) == {"NobodyKnowsThisOp": "the main graph"}


def test_assets_outside_of_the_folder_are_refused(tmp_path):
    models.save(models.Line(1.0, 2.0), tmp_path / "1")
    path = tmp_path / "1" / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    asset = content.meta_graphs[0].asset_file_def.add(filename="../../etc/passwd")
    path.write_bytes(content.SerializeToString())
    with pytest.raises(ArtifactError, match="assets outside of itself: .*etc/passwd"):
        servable.load("model", tmp_path / "1", Loading())
    asset.filename = "words.txt"
    path.write_bytes(content.SerializeToString())
    assert ops.outside_assets(graph_of(tmp_path / "1")) == []
