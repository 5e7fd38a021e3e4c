"""Inputs are held to the names, types and shapes of a signature."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.models import signature as signatures
from pipelines.serving.server.models.signature import Signature, TensorInfo

X = TensorInfo(tf.float32, (None, 2))
ONE = Signature("s", "predict", {"x": X}, {"y": X, "z": X})


def test_inputs_of_the_signature_are_accepted():
    signatures.check_inputs(ONE, {"x": np.zeros((5, 2), np.float32)})


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, r"0!=1\. .* Missing but required: {x}"),
        ({"w": np.zeros(1, np.float32)}, r"1==1\. Sent extra: {w}"),
        ({"x": np.zeros((5, 2))}, "type float32; float64 came"),
        ({"x": np.array([["a", "b"]], object)}, "type float32; string came"),
        ({"x": np.zeros((5, 3), np.float32)}, r"shape \[-1, 2\], .* \[5, 3\] came"),
        ({"x": np.zeros(2, np.float32)}, r"\[2\] came"),
    ],
)
def test_other_inputs_are_refused(inputs, message):
    with pytest.raises(ServingError, match=message):
        signatures.check_inputs(ONE, inputs)


def test_signature_is_batched_if_all_tensors_are():
    total = TensorInfo(tf.float32, ())
    assert ONE.is_batched
    assert not Signature("s", "predict", {"x": X}, {"total": total}).is_batched
    assert not TensorInfo(tf.float32, None).is_batched


def test_outputs_are_filtered_by_name():
    outputs = {"y": np.zeros(1), "z": np.ones(1)}
    assert signatures.filtered(ONE, outputs, []) == outputs
    assert set(signatures.filtered(ONE, outputs, ["z"])) == {"z"}
    for names in (["w"], ["y", "y"]):
        with pytest.raises(ServingError, match="output tensor alias"):
            signatures.check_filter(ONE, names)
