"""Answers as functions of tensors, in a signature with another name for examples."""

import keras
import tensorflow as tf

from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.signatures import signatures


def test_signatures_are_made_of_the_answers_they_get():
    inputs = keras.Input((2, 1), name="series")
    flat = keras.layers.Flatten()(inputs)
    answers = GraphAnswers(
        answer=lambda outputs, features, valid: {"twice": 2 * outputs},
        examples="regress",
        of_examples=lambda answer: {"outputs": answer["twice"]},
    )
    made = signatures(
        keras.Model(inputs, [flat, flat]),
        class_names=("a", "b"),
        calibration=None,
        answers=answers,
    )
    assert sorted(made) == ["features", "regress", "serving_default"]
    given = made["serving_default"]({"series": tf.ones([1, 2, 1])})
    assert given["twice"].numpy().tolist() == [[2, 2]]
    assert given["valid"].numpy().tolist() == [True]
