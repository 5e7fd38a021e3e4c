"""A loaded artifact belongs to one process, and is loaded as it is."""

import copy
import pickle

import numpy as np
import pytest
import tensorflow as tf

import pipelines
from pipelines.errors import ArtifactError
from pipelines.serving.examples.inputs import InputSpec

IMAGE = InputSpec("image_bytes", "string")
TEXT = InputSpec("text", "string")
SERIES = InputSpec("series", "float32", (6, 2))
PIXELS = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


def test_predictor_cannot_be_copied(predictors):
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"load it there: pipelines.load\(path\)"):
            copied(predictors["text"])


def test_surrounding_scopes_do_not_change_loading(predictors):
    path = predictors["text"].artifact.path
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    for surrounding in (strategy.scope, tf.Graph().as_default, tf.init_scope):
        with surrounding():
            loaded = pipelines.load(path)
        assert loaded.predict(["a"])[0].label == "dog"
    with strategy.scope():
        assert pipelines.load(path).predict(["a"])[0].label == "dog"
        assert predictors["text"].predict(["a"])[0].label == "dog"
    with tf.Graph().as_default(), pytest.raises(ArtifactError, match="tf.function"):
        loaded.predict(["a"])
