"""A SavedModel runs in a process that has nothing but its folder."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import ArtifactError
from pipelines.serving import parity_process


class _Reader(tf.Module):
    """Works here and not where it is served: it reads a file by its path."""

    def __init__(self, outside):
        super().__init__()
        self.outside = str(outside)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def add(self, x):
        length = tf.strings.length(tf.io.read_file(self.outside))
        return {"y": x + tf.cast(length, tf.float32)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def echo(self, words):
        return {"echo": words}


def test_model_with_outside_file_is_refused(tmp_path):
    outside, folder = tmp_path / "words.txt", tmp_path / "model"
    outside.write_text("hello")
    module = _Reader(outside)
    functions = {"add": module.add, "echo": module.echo}
    tf.saved_model.save(module, str(folder), functions)
    words = np.array([b"one", b"", b"\xff two"], object)
    inputs = {
        "add/2/x": np.zeros(2, np.float32),
        "echo/3/words": words,
        "echo/0/words": words[:0],
    }
    with parity_process.fresh_process() as process:
        process.start_early()
        found = parity_process.run_in_fresh_process(
            folder, inputs, tmp_path, process=process
        )
    np.testing.assert_array_equal(found["add/2/y"], [5.0, 5.0])
    assert found["echo/3/echo"].tolist() == words.tolist()
    assert found["echo/0/echo"].shape == (0,)
    outside.unlink()
    with pytest.raises(ArtifactError, match=r"was running add on 2 examples \(1 of 3"):
        parity_process.run_in_fresh_process(folder, inputs, tmp_path)


class _Long(tf.Module):
    """Takes series of any number of steps."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, 1], name="series")])
    def total(self, series):
        return {"total": tf.reduce_sum(series, axis=[1, 2])}


def test_sizes_that_are_not_known_are_prepared(tmp_path):
    module, folder = _Long(), tmp_path / "model"
    tf.saved_model.save(module, str(folder), {"total": module.total})
    inputs = {"total/2/series": np.ones((2, 5, 1), np.float32)}
    with parity_process.fresh_process() as process:
        parity_process.prepare(process, folder, tmp_path)
        found = parity_process.run_in_fresh_process(
            folder, inputs, tmp_path, process=process
        )
    assert found["total/2/total"].tolist() == [5.0, 5.0]
