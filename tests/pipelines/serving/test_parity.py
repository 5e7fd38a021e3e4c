"""Parity finds what differs, and says which output it was."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.errors import ArtifactError
from pipelines.serving import parity


def _outputs(shift=0.0, label=b"cat", rows=3):
    return {
        "serving_default/3/probabilities": np.full((rows, 2), 0.5 + shift, np.float32),
        "serving_default/3/label": np.array([label] * rows),
        "serving_default/3/valid": np.ones(rows, bool),
    }


def test_equal_outputs_give_a_record():
    record = parity.compare(_outputs(), _outputs(shift=1e-6))
    assert record["outputs_compared"] == 3
    assert record["batch_sizes"] == [3]
    assert record["largest_difference"] == pytest.approx(1e-6, rel=0.1)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (_outputs(shift=0.01), "probabilities by 0.01, allowed 0.0001"),
        (_outputs(shift=np.nan), "probabilities by nan"),
        (_outputs(label=b"dog"), "label by inf"),
        (_outputs(rows=2), "by inf"),
    ],
)
def test_a_difference_is_refused_by_name(found, message):
    with pytest.raises(ArtifactError, match=message):
        parity.compare(_outputs(), found)


def test_a_missing_output_is_refused():
    found = _outputs()
    del found["serving_default/3/valid"]
    with pytest.raises(ArtifactError, match="lacks or adds .*valid"):
        parity.compare(_outputs(), found)


def test_a_model_that_needs_a_file_of_this_process_is_refused(tmp_path):
    """What works here and not where it is served: a file read by its path."""
    outside = tmp_path / "words.txt"
    outside.write_text("hello")

    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def serve(self, x):
            words = tf.strings.length(tf.io.read_file(str(outside)))
            return {"y": x + tf.cast(words, tf.float32)}

    module, folder = Reader(), tmp_path / "model"
    tf.saved_model.save(module, str(folder), {"serve": module.serve})
    inputs = {"serve/2/x": np.zeros(2, np.float32)}
    found = parity.run_in_fresh_process(folder, inputs, tmp_path)
    np.testing.assert_array_equal(found["serve/2/y"], [5.0, 5.0])
    outside.unlink()
    with pytest.raises(ArtifactError, match=r"does not run in a fresh process"):
        parity.run_in_fresh_process(folder, inputs, tmp_path)
