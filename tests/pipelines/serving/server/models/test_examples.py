"""Examples of classifications and regressions, and the outputs for them."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.models import examples
from pipelines.serving.server.models.signature import Signature, TensorInfo


def signature(**outputs) -> Signature:
    inputs = {"inputs": TensorInfo(tf.string, (None,))}
    return Signature("s", "predict", inputs, dict.fromkeys(outputs, inputs["inputs"]))


def test_context_is_behind_the_features_of_each_example():
    message = input_pb2.Input()
    listed = message.example_list_with_context
    listed.context.features.feature["a"].int64_list.value.append(1)
    listed.context.features.feature["b"].int64_list.value.append(2)
    listed.examples.add().features.feature["a"].int64_list.value.append(3)
    listed.examples.add()
    rows = [
        {k: v.int64_list.value[0] for k, v in parsed.features.feature.items()}
        for parsed in map(tf.train.Example.FromString, examples.serialized(message))
    ]
    assert rows == [{"a": 3, "b": 2}, {"a": 1, "b": 2}]


def test_input_without_examples_is_refused():
    with pytest.raises(ServingError, match="empty"):
        examples.serialized(input_pb2.Input())


def test_classes_have_names_and_scores_in_order():
    outputs = {
        "classes": np.array([[b"a", b"b"]], object),
        "scores": np.array([[0.25, 0.75]], np.float32),
    }
    assert examples.classes(outputs, 1) == [[(b"a", 0.25), (b"b", 0.75)]]
    del outputs["classes"]
    assert examples.classes(outputs, 1) == [[(b"", 0.25), (b"", 0.75)]]


@pytest.mark.parametrize("shape", [(3,), (2, 2), ()])
def test_values_of_other_shape_are_refused(shape):
    with pytest.raises(ServingError, match=r"shape \[2\] or \[2, 1\]"):
        examples.values({"outputs": np.zeros(shape, np.float32)}, 2)
    assert examples.values({"outputs": np.ones((2, 1), np.float32)}, 2) == [1.0, 1.0]


def test_signature_without_classes_cannot_classify():
    examples.check_classify(signature(scores=1))
    examples.check_regress(signature(outputs=1))
    for check in (examples.check_classify, examples.check_regress):
        with pytest.raises(ServingError, match="Signature: 's'") as error:
            check(signature(other=1))
        assert error.value.code == Code.FAILED_PRECONDITION
