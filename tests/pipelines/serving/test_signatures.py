"""The served graph: bad images are isolated, and answers are the calibration's."""

import ctypes
import dataclasses
import gc
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipelines.calibration.calibration import calibrate
from pipelines.calibration.feature_space import fit_feature_space
from pipelines.config import CalibrationConfig
from pipelines.serving.signatures import (
    DEFAULT,
    feature_distance,
    signatures,
)

SIZE = 24


def _model(given: keras.KerasTensor) -> keras.Model:
    """Logits of three classes and features of 40 numbers for pixels, text or series."""
    if given.name == "text":
        count = layers.Lambda(
            lambda text: tf.cast(tf.strings.length(text), tf.float32), output_shape=()
        )
        x = layers.Reshape((1,))(count(given))
    else:
        x = layers.Flatten()(layers.Rescaling(1 / 255)(given))
    keras.utils.set_random_seed(1)
    features = layers.Dense(40, activation="tanh")(x)
    logits = layers.Dense(3, kernel_initializer=keras.initializers.RandomNormal())
    return keras.Model(given, [logits(features), features])


INPUTS = {
    "pixels": lambda: keras.Input((SIZE, SIZE, 3), dtype="uint8", name="pixels"),
    "text": lambda: keras.Input((), dtype="string", name="text"),
    "series": lambda: keras.Input((5, 2), name="series"),
}
GIVEN = {
    "pixels": np.random.default_rng(0).integers(0, 256, (300, SIZE, SIZE, 3), "uint8"),
    "text": np.array(["ab" * n for n in range(1, 61)]),
    "series": np.random.default_rng(0).normal(0, 300, (300, 5, 2)).astype("float32"),
}
NAMES = ("a", "b", "c")


def _calibration(logits, features, **changes):
    """One with everything: bias, both limits, a space and two levels."""
    rng = np.random.default_rng(0)
    labels = (logits + rng.gumbel(size=logits.shape) / 9).argmax(axis=1)
    found = calibrate(
        logits,
        labels,
        features,
        features[::2],
        labels[::2],
        calibration=CalibrationConfig(
            method="bias", coverage=0.8, in_distribution=0.9, conformal_levels=(0.6,)
        ),
    )
    return dataclasses.replace(found, **changes)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize(
    "without", [(), ("energy",), ("distance", "space"), ("energy", "distance", "space")]
)
def test_the_graph_answers_what_the_calibration_answers(kind, without):
    model = _model(INPUTS[kind]())
    given = GIVEN[kind]
    logits, features = (x.numpy() for x in model(tf.constant(given)))
    calibration = _calibration(logits, features, **dict.fromkeys(without))
    assert calibration.scaling.temperature != 1
    assert any(calibration.scaling.bias)
    wanted = calibration.answer(logits, features)
    name = "pixels" if kind == "pixels" else "serving_default"
    serve = signatures(model, class_names=NAMES, calibration=calibration)[name]
    found = {k: v.numpy() for k, v in serve({kind: tf.constant(given)}).items()}
    for output in ("probabilities", "confidence", "ood_score"):
        assert found[output].dtype == np.float32
        np.testing.assert_allclose(
            found[output], getattr(wanted, output), rtol=1e-4, atol=1e-4
        )
    decided = calibration.is_decided(wanted)
    assert decided.mean() > 0.8
    for output in ("accepted", "prediction_set"):
        np.testing.assert_array_equal(
            found[output][decided], getattr(wanted, output)[decided], output
        )
    assert [NAMES.index(one.decode()) for one in found["label"]] == list(wanted.labels)
    assert found["valid"].all()
    # Each answer is of both kinds, so that the comparison says something.
    assert 0 < wanted.is_confident.mean() < 1
    assert 0 < wanted.prediction_set.mean() < 1
    if len(without) < 3:
        assert 0 < wanted.in_distribution.mean() < 1


@pytest.mark.parametrize("kind", ["text", "series"])
def test_a_bad_example_gets_no_answer(kind):
    model = _model(INPUTS[kind]())
    good = GIVEN[kind][:40]
    bad = np.array([" "]) if kind == "text" else np.full((1, 5, 2), np.nan, "float32")
    calibration = _calibration(*(x.numpy() for x in model(tf.constant(good))))
    serve = signatures(model, class_names=NAMES, calibration=calibration)[
        "serving_default"
    ]
    found = serve({kind: tf.constant(np.concatenate([bad, good]))})
    first = {name: value.numpy()[0] for name, value in found.items()}
    assert first.pop("label") == b""
    assert set(first) == {
        "probabilities",
        "confidence",
        "accepted",
        "ood_score",
        "prediction_set",
        "valid",
    }
    for name, value in first.items():
        assert not np.any(value), name
    assert found["accepted"].numpy()[1:].any()
    assert found["prediction_set"].numpy()[1:].any(axis=1).all()
    empty = serve({kind: tf.constant(good[:0])})
    assert empty["prediction_set"].shape == (0, 3)
    assert empty["ood_score"].shape == (0,)


@pytest.mark.parametrize("spread", [0.1, 0.01, 0.001])
def test_distances_agree_where_classes_are_far_apart(spread):
    """As after long training: then little is left of squares that are large."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    noise = rng.normal(size=(400, 16)) * np.linspace(1, 0.05, 16)
    features = (np.eye(2, 16)[labels] + spread * noise).astype(np.float32)
    space = fit_feature_space(features, labels)
    some = np.concatenate([features[:50], np.eye(2, 16, dtype=np.float32)])
    found = feature_distance(space, tf.constant(some))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, space.distances(some), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", INPUTS)
def test_mapped_functions_have_no_branches_or_loops(kind):
    """TensorFlow keeps the functions of those for as long as the process."""
    model = _model(INPUTS[kind]())
    calibration = _calibration(*(x.numpy() for x in model(tf.constant(GIVEN[kind]))))
    found = signatures(model, class_names=NAMES, calibration=calibration)
    mapped = set()
    for function in found.values():
        graph = function.get_concrete_function().graph.as_graph_def()
        bodies = {one.signature.name: one.node_def for one in graph.library.function}
        for node in (node for body in (graph.node, *bodies.values()) for node in body):
            if node.op == "ParallelMapDatasetV2":
                mapped.add(node.attr["f"].func.name)
                body = bodies[node.attr["f"].func.name]
                assert not [x.op for x in body if any(map(_calls, x.attr.values()))]
    # What parses an example, what asks for the size of JPEG, and 11 that decode.
    assert len(mapped) == (13 if kind == "pixels" else 1)


def _calls(attribute) -> bool:
    return attribute.HasField("func") or bool(attribute.list.func)


def _resident_mb() -> float:
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="is for Linux")
def test_unloaded_model_frees_its_memory(tmp_path):
    """It kept some 10 MB of each signature, where mapped functions have branches."""
    given = INPUTS["pixels"]()
    model = _model(given)
    logits, features = model.predict(GIVEN["pixels"], verbose=0)
    functions = signatures(
        model, class_names=NAMES, calibration=_calibration(logits, features)
    )
    traced = functions[DEFAULT].get_concrete_function()
    module = tf.Module()
    module.weights = traced.variables
    tf.saved_model.save(module, tmp_path, signatures={DEFAULT: traced})
    image = tf.constant([tf.io.encode_png(GIVEN["pixels"][0]).numpy(), b"bad"])
    seen = []
    for _ in range(7):
        loaded = tf.saved_model.load(tmp_path)
        found = loaded.signatures[DEFAULT](image_bytes=image)
        assert found["valid"].numpy().tolist() == [True, False]
        del loaded, found
        seen.append(_resident_mb())
    assert seen[-1] - seen[3] < 15, seen
