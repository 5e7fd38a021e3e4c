"""A caller in Python finds its process as it was, whatever a run did in it."""

import json
import logging
import random
import signal
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipelines.runtime.caller_state import preserved
from pipelines.runtime.determinism import determinism
from tests.pipelines.conftest import TINY_DATA

DRAWS = {
    "random": random.random,
    "numpy": np.random.random,
    "tensorflow": lambda: float(tf.random.uniform([])),
    "keras": lambda: float(keras.random.uniform([])),
}


@pytest.fixture
def keras_as_it_was():
    policy, form = keras.config.dtype_policy(), keras.config.image_data_format()
    floatx = keras.config.floatx()
    root, absl = logging.root.level, logging.getLogger("absl").level
    handlers, ends = logging.root.handlers[:], signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, ends)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(root)
    logging.getLogger("absl").setLevel(absl)
    keras.config.set_floatx(floatx)
    keras.config.set_image_data_format(form)
    keras.config.set_dtype_policy(policy)


def disturb() -> None:
    """What a run does, and more of it."""
    keras.utils.set_random_seed(9)
    for draw in DRAWS.values():
        draw()
    keras.config.set_dtype_policy("mixed_bfloat16")
    logging.basicConfig(force=True, level=logging.DEBUG)
    logging.getLogger("absl").setLevel(logging.ERROR)
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def surroundings() -> dict[str, object]:
    return {
        "policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "format": keras.config.image_data_format(),
        "root": (logging.root.level, tuple(logging.root.handlers)),
        "absl": logging.getLogger("absl").level,
        "zootune": vars(logging.getLogger("zootune")) | {"_cache": None},
        "filters": list(warnings.filters),
        "signals": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)],
    }


def test_what_is_drawn_next_follows_from_the_callers_seed(keras_as_it_was):
    def twice(between) -> dict[str, list[float]]:
        keras.utils.set_random_seed(5)
        first = {name: draw() for name, draw in DRAWS.items()}
        between()
        return {name: [first[name], draw()] for name, draw in DRAWS.items()}

    def lend() -> None:
        with preserved():
            disturb()

    plainly = twice(lambda: None)
    assert len({number for drawn in plainly.values() for number in drawn}) == 8
    assert twice(lend) == plainly
    assert twice(disturb) != plainly


def test_settings_are_plain_inside_and_come_back(keras_as_it_was):
    keras.config.set_floatx("float64")
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("float64")
    keras.config.set_max_epochs(1)
    before = surroundings()

    def fail() -> None:
        disturb()
        raise ZeroDivisionError

    try:
        with preserved():
            assert keras.config.floatx() == "float32"
            assert keras.config.image_data_format() == "channels_last"
            assert keras.config.dtype_policy().name == "float32"
            assert keras.config.max_epochs() is None
            disturb()
        assert surroundings() == before
        assert keras.config.max_epochs() == 1
        with pytest.raises(ZeroDivisionError), preserved():
            fail()
        assert surroundings() == before
    finally:
        keras.config.set_max_epochs(None)


def test_ops_need_not_be_deterministic_after_a_strict_run():
    from tensorflow.python.framework.config import is_op_determinism_enabled

    assert not is_op_determinism_enabled()
    with determinism("strict"):
        assert is_op_determinism_enabled()
        with determinism("strict"):
            pass
        assert is_op_determinism_enabled()
    assert not is_op_determinism_enabled()


# The run of the fixture `finished_run`, by a caller with a past of its own.
CALLS = f"""
import json, logging, os, random, sys
import numpy as np
random.seed(1)
np.random.seed(2)
import pipelines
run = pipelines.fine_tune(
    {TINY_DATA!r}, backbone="tiny_image", weights="none", strategy="head_only",
    workdir="run",
)
drawn = [random.random(), np.random.random()]
predictor = pipelines.load(run.artifact_dir)
import keras
print(json.dumps({{
    "drawn": drawn,
    "again": [random.random(), np.random.random()],
    "loss": run.report["validation"]["loss"],
    "floatx": keras.config.floatx(),
    "format": keras.config.image_data_format(),
    "handlers": len(logging.root.handlers + logging.getLogger("zootune").handlers),
    "log_level": os.environ.get("TF_CPP_MIN_LOG_LEVEL"),
    "run": repr(run),
    "artifact": repr(predictor.artifact),
}}))
"""


@pytest.mark.slow
def test_a_run_is_the_same_and_says_its_stages_and_leaves_no_trace(
    fresh_process, finished_run, tmp_path
):
    of_others = {"floatx": "float16", "epsilon": 0.1}
    of_others["image_data_format"] = "channels_first"
    (tmp_path / "keras.json").write_text(json.dumps(of_others))
    settings = {"KERAS_HOME": str(tmp_path), "KERAS_MAX_EPOCHS": "1"}
    ended = fresh_process(CALLS, env=settings, timeout=600)
    assert ended.returncode == 0, ended.stderr
    # Errors of TensorFlow are told, and nothing else that its libraries say.
    said = [line for line in ended.stderr.splitlines() if not line.startswith("E0000")]
    assert said == []
    stages = [line for line in ended.stdout.splitlines() if " s] obtain: " in line]
    assert len(stages) == 1
    found = json.loads(ended.stdout.splitlines()[-1])
    report = json.loads((finished_run / "report.json").read_text())
    assert found["loss"] == report["validation"]["loss"]
    python, numpy = random.Random(1), np.random.RandomState(2)
    assert found["drawn"] == [python.random(), numpy.random_sample()]
    assert found["again"] == [python.random(), numpy.random_sample()]
    assert (found["floatx"], found["format"]) == ("float16", "channels_first")
    assert (found["handlers"], found["log_level"]) == (0, None)
    accuracy = report["test"]["accuracy"]
    assert found["run"] == (
        f"<Run: accuracy {accuracy:.4f} on 20 test examples, head_only, run/artifact/1>"
    )
    assert len(found["artifact"]) < 100
