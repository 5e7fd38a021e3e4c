"""Numbers in the graph, and the signature for TensorFlow Serving's regressions."""

import numpy as np
import tensorflow as tf

from pipelines.calibration.intervals import Interval, NumberCalibration
from pipelines.problems.number_answers import expected, graph_answers, of_examples


def test_values_have_their_units_and_intervals():
    fitted = NumberCalibration(
        (10.0, 0.0), (2.0, 1.0), (Interval(0.9, 0.9, (1.0, 0.5)),), 9, None, ""
    )
    outputs, features = np.float32([[1, 1], [0, 0]]), np.zeros((2, 2), np.float32)
    valid = tf.constant([True, False])
    made = graph_answers(fitted)
    answer = made.answer(tf.constant(outputs), tf.constant(features), valid)
    assert answer["values"].numpy().tolist() == [[12, 1], [0, 0]]
    assert answer["lower"].numpy()[0].tolist() == [11, 0.5]
    assert answer["upper"].numpy()[0].tolist() == [13, 1.5]
    assert answer["accepted"].numpy().tolist() == [True, False]
    assert made.examples == ""  # a regression has one number
    wanted = expected(fitted, outputs, features, unit=1.0)
    assert wanted["values"].values[0].tolist() == [12, 1]
    assert of_examples(wanted)["outputs"] is wanted["values"]


def test_one_target_has_the_signature_regress():
    fitted = NumberCalibration(
        (0.0,), (1.0,), (Interval(0.9, 0.9, (1.0,)),), 9, None, ""
    )
    assert graph_answers(fitted).examples == "regress"


def test_graph_captures_no_tensor():
    """Converters to other formats take captured ones for inputs."""
    fitted = NumberCalibration(
        (10.0, 0.0), (2.0, 1.0), (Interval(0.9, 0.9, (1.0, 0.5)),), 9, None, ""
    )
    specs = [tf.TensorSpec([None, 2], tf.float32)] * 2
    answer = tf.function(graph_answers(fitted).answer)
    traced = answer.get_concrete_function(*specs, tf.TensorSpec([None], tf.bool))
    assert not traced.captured_inputs
