"""Strict determinism is asked of TensorFlow, and its refusals are errors of ours."""

import sys

from tests.support import warm_python

PROGRAM = """
import tensorflow as tf
from pipelines.errors import TrainingError
from pipelines.runtime.determinism import determinism

with determinism("default"):
    tf.random.uniform([2])
try:
    with determinism("strict"):
        tf.random.uniform([2])
except RuntimeError as error:
    print("without a seed:", error)
try:
    with determinism("strict"):
        raise tf.errors.UnimplementedError(None, None, "no such kernel")
except TrainingError as error:
    print("refused:", error)
"""


def test_strict_is_told_to_tensorflow():
    """In a process of its own, because there is no way back."""
    ended = warm_python.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert "without a seed: Random ops require a seed" in ended.stdout
    assert "one cannot: no such kernel" in ended.stdout
