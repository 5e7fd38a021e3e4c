"""A loaded artifact belongs to one process, and is loaded as it is."""

import copy
import multiprocessing
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


def in_a_fork(work) -> str:
    """What a forked worker says of `work`, or that it hangs."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def run() -> None:
        try:
            theirs.send(str(work()))
        except Exception as error:  # noqa: BLE001 - it is said
            theirs.send(f"{type(error).__name__}: {error}")

    worker = context.Process(target=run)
    worker.start()
    try:
        return ours.recv() if ours.poll(20) else "it hangs"
    finally:
        worker.kill()
        worker.join()


def test_forked_worker_is_refused_at_once(predictors):
    predictor = predictors["text"]
    for work in (
        lambda: predictor.predict(["a"]),
        lambda: predictor.features(["a"]),
        lambda: predictor.probabilities(["a"]),
        lambda: pipelines.load(predictor.artifact.path),
    ):
        said = in_a_fork(work)
        assert said.startswith("RuntimeError: This process was forked")
        assert "get_context('spawn')" in said
    assert predictor.predict(["a"])[0].label == "dog"
