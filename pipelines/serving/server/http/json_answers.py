"""The JSON of answers from arrays, as TensorFlow Serving writes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson

from pipelines.serving.server.errors import invalid
from pipelines.serving.server.models.signature import Arrays

_AS_NUMBERS = orjson.OPT_SERIALIZE_NUMPY


class Body(NamedTuple):
    """An answer, with headers that name its version."""

    content: bytes
    headers: Mapping[str, str] = {}
    status: int = 200


def write_rows(outputs: Arrays) -> bytes:
    """`{"predictions": [...]}`: an object for each row, or the value if it is one."""
    counts = {name: value.shape[:1] for name, value in outputs.items()}
    if len(set(counts.values())) != 1 or () in counts.values():
        raise invalid(
            "The outputs have no common number of rows, so ask with 'inputs' in place"
            f" of 'instances'. Their first dimensions: {counts}."
        )
    written = {name: _writable(name, value) for name, value in outputs.items()}
    if len(written) == 1:
        return dumped({"predictions": next(iter(written.values()))}, outputs)
    rows = [dict(zip(written, values)) for values in zip(*written.values())]
    return dumped({"predictions": rows}, outputs)


def write_columns(outputs: Arrays) -> bytes:
    """`{"outputs": ...}`: an object with every output, or the value if it is one."""
    written = {name: _writable(name, value) for name, value in outputs.items()}
    only = next(iter(written.values())) if len(written) == 1 else written
    return dumped({"outputs": only}, outputs)


def write_results(results: list) -> bytes:
    """`{"results": [...]}` of a classification or a regression."""
    return dumped({"results": results}, {})


def is_binary(name: str) -> bool:
    """True for an output of bytes that may not be text, by its name."""
    return name.endswith("_bytes")


def flat(name: str, array: np.ndarray) -> Any:
    """All values in the order of rows; bytes other than text are base64.

    Raises:
        ServingError: for values that JSON cannot hold.
    """
    if array.dtype == object and is_binary(name):
        return [base64.b64encode(value).decode() for value in array.ravel()]
    return _writable(name, array.reshape(-1))


def _writable(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        convert = _as_base64 if is_binary(name) else _as_text
        return _mapped(array.tolist(), convert)
    if array.dtype.kind not in "biuf" or array.dtype == np.float16:
        raise invalid(
            f"Failed to write JSON value for tensor type: {array.dtype.name} of output"
            f" {name!r}."
        )
    return np.ascontiguousarray(array) if array.ndim else array.item()


def _mapped(value: Any, convert: Callable[[bytes], Any]) -> Any:
    if isinstance(value, list):
        return [_mapped(item, convert) for item in value]
    return convert(value)


def _as_base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _as_text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise invalid(
            "An output has bytes that are not UTF-8; only outputs whose name ends in"
            " _bytes may."
        ) from error


def dumped(value: Any, outputs: Arrays) -> bytes:
    """The JSON of a value that holds these arrays."""
    finite = all(
        np.isfinite(array).all()
        for array in outputs.values()
        if array.dtype.kind == "f"
    )
    if finite and outputs:
        return orjson.dumps(value, option=_AS_NUMBERS)
    # The fast writer makes null of NaN and infinity.
    return json.dumps(value, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Python's own values, with as many digits as the type has."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.floating):
        return float(str(value))
    return value.item()
