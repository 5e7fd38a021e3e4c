"""Bytes of a SavedModel follow from what it computes, whatever was done before."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving import canonical
from pipelines.serving.row_isolation import each_or


def _saved(folder, *, after: int):
    """A model with loops, branches and a data set, in a process that has done more."""
    for _ in range(after):
        tf.function(lambda x: x + 1)(tf.constant(1))
    module = tf.Module()
    module.weights = [tf.Variable([2.0], name="a"), tf.Variable([3.0], name="b")]

    def one(x):
        x = tf.while_loop(lambda y: y < 10.0, lambda y: (y + 1.0,), (x,))[0]
        return tf.cond(x > 10.5, lambda: x * module.weights[0], lambda: x)[0]

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32)])
    def serve(x):
        return {"y": each_or(x, one, 0.0)[:-1] * module.weights[1]}

    module.serve = serve
    tf.saved_model.save(module, folder, signatures={"serve": serve})
    return folder


def _files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_what_the_process_did_before_does_not_show(tmp_path):
    folders = [_saved(tmp_path / str(n), after=n) for n in (0, 7)]
    first, second = (_files(folder) for folder in folders)
    assert first["saved_model.pb"] != second["saved_model.pb"]
    for folder in folders:
        canonical.rewrite(folder)
    first, second = (_files(folder) for folder in folders)
    assert sorted(first) == sorted(second)
    for name in first:
        assert first[name] == second[name], name


def test_it_computes_the_same_and_is_written_once(tmp_path):
    folder = _saved(tmp_path / "1", after=1)
    given = np.array([[9.75], [3.5], [np.inf], [20.0]], np.float32)
    before = tf.saved_model.load(folder).signatures["serve"](tf.constant(given))
    canonical.rewrite(folder)
    files = _files(folder)
    after = tf.saved_model.load(folder).signatures["serve"](tf.constant(given))
    assert after["y"].numpy() == pytest.approx(before["y"].numpy())
    assert before["y"].numpy()[0] == pytest.approx(10.75 * 2 * 3)
    canonical.rewrite(folder)
    assert _files(folder) == files
