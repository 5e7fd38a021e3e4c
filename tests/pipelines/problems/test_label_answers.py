"""Labels in one string, and answers near a threshold."""

import numpy as np
import tensorflow as tf

from pipelines.calibration.labels import LabelCalibration
from pipelines.problems.label_answers import expected, graph_answers

NAMES = ("ä", "b", "c")
CALIBRATION = LabelCalibration((1.0, 2.0, 1.0), (0.5, 0.3, 0.7), 9, 0.6, None, "")
LOGITS = np.float32([[2, -9, 2], [-2, -9, -2], [1, -1.6, 0.9], [2, 9, 2]])


def test_graph_and_numpy_give_the_same_answers():
    features = np.zeros((4, 2), np.float32)
    valid = np.array([True, True, True, False])
    tensors = map(tf.constant, (LOGITS, features, valid))
    in_graph = graph_answers(CALIBRATION, NAMES).answer(*tensors)
    wanted = expected(CALIBRATION, LOGITS, features, NAMES, unit=1.0)
    for name in ("probabilities", "predicted", "confidence", "accepted"):
        given = in_graph[name].numpy()[:3].astype(float)
        np.testing.assert_allclose(given, wanted[name].values[:3], atol=1e-6)
    labels = [label.decode() for label in in_graph["label"].numpy()]
    assert labels == ["ä|c", "", "ä|b|c", ""]
    assert [text.decode() for text in wanted["label"].values[:3]] == labels[:3]
    assert in_graph["accepted"].numpy().tolist() == [True, True, False, False]
    margins = wanted["predicted"].margins["probabilities"]
    assert margins.min() > 0
    assert margins[2, 1] < 0.02


def test_graph_captures_no_tensor():
    """Converters to other formats take captured ones for inputs."""
    answer = tf.function(graph_answers(CALIBRATION, NAMES).answer)
    numbers = [tf.TensorSpec([None, width], tf.float32) for width in (3, 2)]
    traced = answer.get_concrete_function(*numbers, tf.TensorSpec([None], tf.bool))
    assert not traced.captured_inputs
