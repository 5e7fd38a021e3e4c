"""Passes through a frozen network by OpenVINO, if it is installed and agrees.

A compiled network has one kernel for several layers; TensorFlow's graph has more,
because its variables could change. The choice of the engine depends on the installed
packages and the number of batches, and never on a clock: the same run has to give the
same bits again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from pipelines.runtime.reentrancy import is_reentrant

# Converting takes two to four seconds, which pays only from this number of batches on.
# For images it counts batches of this size: EfficientNet-Lite0, with BatchNorm folded
# in both engines, gains 5 ms on each, on two cores with AMX.
_LEAST_BATCHES = 256
_PIXELS = 128 * 128
# Relative to the largest value of an output. Activations are stored as float16, which
# rounds by five times as much.
_TOLERANCE = 1e-4

_logger = logging.getLogger("zootune")

Infer = Callable[[tf.Tensor], list[np.ndarray]]


def is_worth_a_try(inputs: tf.TensorSpec, batches: int) -> bool:
    """True if a pass over this number of batches may gain by another engine."""
    is_image = inputs.shape.rank == 4 and inputs.shape[1:3].is_fully_defined()
    scale = inputs.shape[1:3].num_elements() / _PIXELS if is_image else 1.0
    return (
        batches * scale >= _LEAST_BATCHES
        and (inputs.dtype.is_floating or inputs.dtype.is_integer)
        and importlib.util.find_spec("openvino") is not None
        and not tf.config.list_physical_devices("GPU")
    )


def batches_at_once(function: tf.types.experimental.PolymorphicFunction) -> int:
    """The number of batches that a pass computes at once.

    On a CPU, ops of one batch leave cores idle that a second batch can use. On a GPU
    they do not, and two batches need twice the memory.
    """
    if tf.config.list_physical_devices("GPU"):
        return 1
    graph = function.get_concrete_function().graph
    return min(2, os.cpu_count() or 1) if is_reentrant(graph.as_graph_def()) else 1


def by_tensorflow(function: tf.types.experimental.PolymorphicFunction) -> Infer:
    """The outputs of a function, in order."""
    return lambda inputs: [out.numpy() for out in tf.nest.flatten(function(inputs))]


def compiled(
    function: tf.types.experimental.PolymorphicFunction, batch: tf.Tensor
) -> Infer:
    """The function by OpenVINO if it gives the same for this batch, else as it is."""
    plain = by_tensorflow(function)
    other = _converted(function)
    if other is None:
        return plain
    difference = max(map(_difference, other(batch), plain(batch)))
    if not difference <= _TOLERANCE:
        _logger.warning(
            "OpenVINO differs from TensorFlow by %.1e of the largest value, more than"
            " %.0e; using TensorFlow.",
            difference,
            _TOLERANCE,
        )
        return plain
    _logger.info("using OpenVINO, which differs by %.1e", difference)
    return other


def _converted(function: tf.types.experimental.PolymorphicFunction) -> Infer | None:
    """The function by OpenVINO; None if it cannot be converted."""
    with _logging_as_it_was():
        import openvino
        from openvino import frontend

    try:
        with _logging_as_it_was():
            graph = openvino.convert_model(function.get_concrete_function())
        # By default OpenVINO computes in bfloat16 if the processor can.
        model = openvino.Core().compile_model(
            graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
    except (
        RuntimeError,
        frontend.GeneralFailure,
        frontend.NotImplementedFailure,
        frontend.OpConversionFailure,
        frontend.OpValidationFailure,
    ) as error:
        _logger.info("OpenVINO cannot convert this network: %s", str(error)[:200])
        return None
    outputs = sorted(model.outputs, key=_number)
    own = threading.local()

    def infer(inputs: tf.Tensor) -> list[np.ndarray]:
        # The next call of a request overwrites the memory of its last answer.
        if not hasattr(own, "request"):
            own.request = model.create_infer_request()
        results = own.request.infer(inputs.numpy())
        return [np.array(results[output]) for output in outputs]

    return infer


@contextlib.contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """Restores the root logger, whose level and handlers OpenVINO's converter sets."""
    root = logging.getLogger()
    level, handlers, filters = root.level, list(root.handlers), list(root.filters)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:], root.filters[:] = handlers, filters


def _number(output) -> int:
    """The place of an output: `Identity`, `Identity_1`, `Identity_2`, ... by name."""
    (digits,) = {
        match.group(1)
        for name in output.get_names()
        if (match := re.match(r"Identity(?:_(\d+))?(?::0)?$", name))
    }
    return int(digits or 0)


def _difference(values: np.ndarray, expected: np.ndarray) -> float:
    largest = float(np.abs(expected).max(initial=0.0)) or 1.0
    return float(np.abs(values - expected).max(initial=0.0)) / largest
