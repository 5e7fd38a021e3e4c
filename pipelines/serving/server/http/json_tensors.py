"""Arrays from the JSON of requests, as TensorFlow Serving reads it."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import orjson
import tensorflow as tf

from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.models.signature import (
    Arrays,
    Signature,
    TensorInfo,
    unknown_signature,
)

_MAXIMUM_DEPTH = 32
_HALF_TYPES = (tf.float16, tf.bfloat16, tf.complex64, tf.complex128)
_SHOWN = 64
# Reading what is larger takes long enough to be noticed by others.
SMALL_BYTES = 64 * 1024
# What Python takes for what begins with a sign, or has it in it: lists, objects, items,
# floats, and strings, each with two quotes.
_BYTES_IN_MEMORY = {"[": 88, "{": 250, ",": 8, ".": 24, "e": 24, "E": 24, '"': 28}
_MOST_BYTES_IN_MEMORY = 256 * 2**20
_NO_WHITE_SPACE = dict.fromkeys(map(ord, " \t\n\v\f\r"))


def parse(body: bytes) -> dict[str, Any]:
    """The object in a request's body.

    Raises:
        ServingError: if it is not a JSON object, with the place of the error.
    """
    _refuse_costly(body)
    if not body or body.isspace():
        raise invalid("JSON Parse error: The document is empty")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        value = _parse_with_tokens(body, error)
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {_shown(value)} is not a JSON object.")
    return value


def _refuse_costly(body: bytes) -> None:
    """Raises `ServingError` for JSON that would be far larger in memory.

    An empty list takes 3 bytes here, and 88 there.
    """
    if len(body) <= SMALL_BYTES:
        return
    signs = np.frombuffer(body, np.uint8)
    cost = sum(
        weight * int(np.count_nonzero(signs == ord(sign)))
        for sign, weight in _BYTES_IN_MEMORY.items()
    )
    if cost > _MOST_BYTES_IN_MEMORY:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"The values of the request would take {cost // 2**20} MiB when they are"
            f" read, and may take {_MOST_BYTES_IN_MEMORY // 2**20}; send fewer at"
            " once, or send them over gRPC.",
            http_status=413,
        )


def _parse_with_tokens(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """Numbers that are NaN or Infinity, which the fast reader does not know."""
    refusal = invalid(f"JSON Parse error: Invalid value. at offset: {error.pos}")
    if b"NaN" not in body and b"Infinity" not in body:
        raise refusal from error
    try:
        value = json.loads(body)
        # The fast reader refuses half of a surrogate pair, which no answer can repeat.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise refusal from error
    return value


def signature_name(request: Mapping[str, Any], default: str) -> str:
    """The name of the signature that a request asks for."""
    name = request.get("signature_name", default)
    if not isinstance(name, str):
        raise invalid("Invalid request: 'signature_name' key must be a string value.")
    return name or default


def find_signature(
    signatures: Mapping[str, Signature], request: Mapping[str, Any], default: str
) -> Signature:
    """The signature that a request asks for.

    Raises:
        ServingError: if the model has no such signature.
    """
    name = signature_name(request, default)
    if name not in signatures:
        raise unknown_signature(name, over_rest=True)
    return signatures[name]


def read_inputs(
    request: Mapping[str, Any], signature: Signature
) -> tuple[Arrays, bool]:
    """The inputs of a prediction, and whether they came as rows.

    Raises:
        ServingError: naming the row or the input that is not as it should be.
    """
    if ("instances" in request) == ("inputs" in request):
        came = "both" if "instances" in request else "neither"
        raise invalid(
            "Missing 'inputs' or 'instances' key: a request has exactly one of them;"
            f" {came} came."
        )
    if "instances" in request:
        return _from_rows(request["instances"], signature), True
    return _from_columns(request["inputs"], signature), False


def _from_rows(rows: Any, signature: Signature) -> Arrays:
    if not isinstance(rows, list) or not rows:
        raise invalid("Request 'instances' must be a list with at least one element.")
    names = list(signature.inputs)
    if not _is_object(rows[0]):
        if len(names) != 1:
            raise invalid(
                f"Each of 'instances' must be an object with {sorted(names)};"
                f" {_shown(rows[0])} came."
            )
        for i, row in enumerate(rows):
            if _is_object(row):
                raise _bad_row(i, "objects and plain values are mixed")
        columns = {names[0]: rows}
    else:
        for i, row in enumerate(rows):
            _check_row(i, row, names)
        columns = {name: [row[name] for row in rows] for name in names}
    return {
        name: array_of(values, signature.inputs[name], name)
        for name, values in columns.items()
    }


def _check_row(i: int, row: Any, names: list[str]) -> None:
    if not _is_object(row):
        raise _bad_row(i, "objects and plain values are mixed")
    if set(row) != set(names):
        raise _bad_row(i, f"it has {sorted(row)}, and must have {sorted(names)}")


def _bad_row(i: int, why: str) -> ServingError:
    return invalid(f"Failed to process element: {i} of 'instances' list. Error: {why}.")


def _is_object(value: Any) -> bool:
    """True for an object that names inputs; an object with bytes is a value."""
    return isinstance(value, dict) and not _is_bytes(value)


def _is_bytes(value: dict) -> bool:
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _from_columns(columns: Any, signature: Signature) -> Arrays:
    names = list(signature.inputs)
    if not _is_object(columns):
        if len(names) != 1:
            raise invalid(
                f"'inputs' must be an object with {sorted(names)};"
                f" {_shown(columns)} came."
            )
        columns = {names[0]: columns}
    missing = sorted(set(names) - set(columns))
    if missing:
        raise invalid(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {
        name: array_of(columns[name], signature.inputs[name], name) for name in names
    }


def array_of(value: Any, info: TensorInfo, name: str) -> np.ndarray:
    """The array in nested lists, of the type that the signature has.

    Raises:
        ServingError: if a value is of another type, or lists differ in length.
    """
    dtype = info.dtype
    if dtype in _HALF_TYPES:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value to type: {dtype.name} is not supported.",
        )
    if dtype == tf.string:
        return _strings(value, name)
    _check_leaves(value, _ALLOWED[_kind(dtype)], dtype, name)
    try:
        with np.errstate(over="ignore"):
            return np.array(value, dtype.as_numpy_dtype)
    except OverflowError as error:
        if dtype.is_floating:  # an integer that no double holds
            return np.array(_as_floats(value), dtype.as_numpy_dtype)
        raise invalid(
            f"Input {name!r} has a number that is not of expected type: {dtype.name}"
        ) from error
    except ValueError as error:
        raise invalid(
            f"Encountered list at unexpected size or nesting in input {name!r}: lists"
            " must have equal lengths."
        ) from error


def _as_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_floats(item) for item in value]
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _kind(dtype: tf.DType) -> str:
    if dtype.is_floating:
        return "float"
    return "bool" if dtype.is_bool else "int"


_ALLOWED = {
    "float": frozenset({int, float}),
    "int": frozenset({int}),
    "bool": frozenset({bool}),
}


def _check_leaves(
    value: Any, allowed: frozenset[type], dtype: tf.DType, name: str
) -> None:
    for leaves in _leaf_lists(value, name):
        if not set(map(type, leaves)) <= allowed:
            wrong = next(leaf for leaf in leaves if type(leaf) not in allowed)
            raise _wrong_type(wrong, dtype)


def _wrong_type(value: Any, dtype: tf.DType) -> ServingError:
    return invalid(
        f"JSON Value: {_shown(value)} Type: {_type_name(value)} is not of expected"
        f" type: {dtype.name}"
    )


def _leaf_lists(value: Any, name: str, depth: int = 0) -> Iterator[list]:
    """The innermost lists, which have no lists in them."""
    if depth > _MAXIMUM_DEPTH:
        raise invalid(
            f"Input {name!r} is nested deeper than {_MAXIMUM_DEPTH} lists, which no"
            " tensor is."
        )
    if not isinstance(value, list):
        yield [value]
    elif any(isinstance(item, list) for item in value):
        for item in value:
            yield from _leaf_lists(item, name, depth + 1)
    else:
        yield value


def _strings(value: Any, name: str) -> np.ndarray:
    shape = _shape(value, name)
    flat = [_bytes_of(leaf) for leaves in _leaf_lists(value, name) for leaf in leaves]
    if len(flat) != math.prod(shape):
        raise invalid(f"Lists in input {name!r} must have equal lengths.")
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _shape(value: Any, name: str) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) > _MAXIMUM_DEPTH:
            next(_leaf_lists([], name, _MAXIMUM_DEPTH + 1))
        shape.append(len(value))
        value = value[0] if value else None
    return tuple(shape)


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:  # half of a surrogate pair
            raise invalid("A string has characters that UTF-8 cannot hold.") from error
    if isinstance(value, dict) and _is_bytes(value):
        return decoded(value["b64"])
    raise _wrong_type(value, tf.string)


def decoded(text: str) -> bytes:
    """The bytes in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return _decoded_leniently(text)


def _decoded_leniently(text: str) -> bytes:
    """As TensorFlow Serving reads it: with white space, and with or without padding."""
    dense = text.translate(_NO_WHITE_SPACE)
    bare = dense.rstrip("=")
    padding = "=" * (-len(bare) % 4)
    try:
        if len(dense) > len(bare) and dense != bare + padding:
            raise ValueError("Incorrect padding")
        return base64.b64decode(bare + padding, validate=True)
    except ValueError as error:
        raise invalid(f"Unable to base64 decode: {error}") from error


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str) if not isinstance(value, list) else "[...]"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _type_name(value: Any) -> str:
    names = {dict: "Object", list: "Array", str: "String", bool: "Bool"}
    if value is None:
        return "Null"
    return names.get(type(value), "Number")
