"""Classify and regress: examples in, classes with scores or values out."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.serving.server.errors import Code, ServingError, invalid, refuse_too_many
from pipelines.serving.server.models.signature import EXAMPLES, Arrays, Signature

# One example: its classes with scores. A missing class is empty, a missing score 0.
Classes = list[tuple[bytes, float]]


def serialized(message: Any) -> list[bytes]:
    """The examples of an `Input`, each with the features of the context behind it.

    Raises:
        ServingError: without examples.
    """
    kind = message.WhichOneof("kind")
    if kind == "example_list_with_context":
        listed = message.example_list_with_context
        refuse_too_many(len(listed.examples))
        items = [_with_context(listed.context, item) for item in listed.examples]
    else:
        refuse_too_many(len(message.example_list.examples))
        items = list(message.example_list.examples)
    if not items:
        raise invalid("Input is empty.")
    return [item.SerializeToString() for item in items]


def _with_context(context: Any, example: Any) -> Any:
    both = tf.train.Example()
    both.CopyFrom(context)
    for name, feature in example.features.feature.items():
        both.features.feature[name].CopyFrom(feature)
    return both


def inputs(examples: list[bytes]) -> Arrays:
    """The inputs of a signature for examples."""
    return {EXAMPLES: np.array(examples, object)}


def check_classify(signature: Signature) -> None:
    """Raises `ServingError` unless a signature can classify."""
    _check_input(signature, "classification")
    if not set(signature.outputs) & {"classes", "scores"}:
        raise _wrong(
            signature,
            "Expected classification signature outputs to contain at least one of"
            ' "classes" or "scores".',
        )


def check_regress(signature: Signature) -> None:
    """Raises `ServingError` unless a signature can regress."""
    _check_input(signature, "regression")
    if "outputs" not in signature.outputs:
        raise _wrong(
            signature, 'Expected regression signature output to be named "outputs".'
        )


def _check_input(signature: Signature, doing: str) -> None:
    if list(signature.inputs) != [EXAMPLES]:
        raise _wrong(
            signature,
            f'Expected one {doing} signature input, named "{EXAMPLES}"; it has'
            f" {sorted(signature.inputs)}.",
        )
    if signature.inputs[EXAMPLES].dtype != tf.string:
        raise _wrong(signature, f'Expected "{EXAMPLES}" to take serialized examples.')


def _wrong(signature: Signature, message: str) -> ServingError:
    return ServingError(
        Code.FAILED_PRECONDITION, f"{message} Signature: {signature.name!r}."
    )


def classes(outputs: Arrays, count: int) -> list[Classes]:
    """For each example, its classes with their scores, in the order of the outputs."""
    names, scores = outputs.get("classes"), outputs.get("scores")
    for key, array in (("classes", names), ("scores", scores)):
        if array is not None and (array.ndim != 2 or len(array) != count):
            raise _bad_output(key, f"[{count}, classes]", array)
    if names is not None and scores is not None and names.shape != scores.shape:
        raise _bad_output("scores", str(list(names.shape)), scores)
    shape = next(x.shape for x in (names, scores) if x is not None)
    labels = np.full(shape, b"", object) if names is None else names
    numbers = np.zeros(shape, np.float32) if scores is None else scores
    return [list(zip(row, map(float, some))) for row, some in zip(labels, numbers)]


def values(outputs: Arrays, count: int) -> list[float]:
    """For each example, its value."""
    numbers = outputs["outputs"]
    if numbers.shape not in ((count,), (count, 1)):
        raise _bad_output("outputs", f"[{count}] or [{count}, 1]", numbers)
    return [float(number) for number in numbers.reshape(count)]


def _bad_output(name: str, shape: str, array: np.ndarray) -> ServingError:
    return invalid(
        f"Expected output {name!r} to have shape {shape}, but it has"
        f" {list(array.shape)}."
    )
