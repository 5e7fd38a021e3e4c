"""A signature as the server needs it: names, types and shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.serving.server.errors import Code, ServingError, invalid

EXAMPLES = "inputs"
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """A dtype, and a shape whose unknown dimensions are None; None: any rank."""

    dtype: tf.DType
    shape: tuple[int | None, ...] | None

    @property
    def is_batched(self) -> bool:
        """True if rows can be put behind the rows of another request."""
        return self.shape is not None and self.shape[:1] == (None,)


@dataclasses.dataclass(frozen=True)
class Signature:
    """The inputs and outputs of one function, by their public names."""

    name: str
    method: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]

    @property
    def is_batched(self) -> bool:
        """True if requests can share a call."""
        return bool(self.inputs) and all(
            info.is_batched for info in (*self.inputs.values(), *self.outputs.values())
        )


def of_proto(name: str, proto: Any) -> Signature:
    """The signature that a `SignatureDef` describes."""
    return Signature(
        name=name,
        method=proto.method_name,
        inputs={key: _tensor_info(info) for key, info in proto.inputs.items()},
        outputs={key: _tensor_info(info) for key, info in proto.outputs.items()},
    )


def _tensor_info(proto: Any) -> TensorInfo:
    shape = proto.tensor_shape
    dims = tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return TensorInfo(
        tf.dtypes.as_dtype(proto.dtype), None if shape.unknown_rank else dims
    )


def check_inputs(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Raises `ServingError` unless names, types and shapes are the signature's."""
    specs = signature.inputs
    if set(inputs) != set(specs):
        extra = sorted(set(inputs) - set(specs))
        missing = sorted(set(specs) - set(inputs))
        compared = "!=" if len(inputs) != len(specs) else "=="
        raise invalid(
            f"input size does not match signature: {len(inputs)}{compared}"
            f"{len(specs)}. Sent extra: {{{','.join(extra)}}}. Missing but required:"
            f" {{{','.join(missing)}}}."
        )
    for name, array in inputs.items():
        _check_input(name, specs[name], array)


def _check_input(name: str, info: TensorInfo, array: np.ndarray) -> None:
    is_string = info.dtype == tf.string
    if (array.dtype == object) != is_string or (
        not is_string and array.dtype != info.dtype.as_numpy_dtype
    ):
        came = "string" if array.dtype == object else array.dtype.name
        raise invalid(f"input {name!r} must be of type {info.dtype.name}; {came} came.")
    if info.shape is None:
        return
    fits = len(info.shape) == array.ndim and all(
        allowed in (None, size) for allowed, size in zip(info.shape, array.shape)
    )
    if not fits:
        shape = [-1 if dim is None else dim for dim in info.shape]
        raise invalid(
            f"input {name!r} must have shape {shape}, where -1 is any size;"
            f" {list(array.shape)} came."
        )


def filtered(
    signature: Signature, outputs: Mapping[str, np.ndarray], names: Sequence[str]
) -> Arrays:
    """The outputs that a client wants; all if it does not say.

    Raises:
        ServingError: if one is unknown or named twice.
    """
    if not names:
        return dict(outputs)
    check_filter(signature, names)
    return {name: outputs[name] for name in names}


def check_filter(signature: Signature, names: Sequence[str]) -> None:
    """Raises `ServingError` for an output that is unknown or named twice."""
    for i, name in enumerate(names):
        if name not in signature.outputs:
            known = ", ".join(sorted(signature.outputs))
            raise invalid(
                f"output tensor alias not found in signature: {name}."
                f" Outputs expected to be in the set {{{known}}}."
            )
        if name in names[:i]:
            raise invalid(f"duplicate output tensor alias: {name}")


def unknown_signature(name: str, *, over_rest: bool) -> ServingError:
    """TensorFlow Serving words this differently over its two interfaces."""
    if over_rest:
        return invalid(f'Serving signature name: "{name}" not found in signature def')
    return ServingError(
        Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
    )
