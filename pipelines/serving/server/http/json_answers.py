"""The JSON of answers from arrays, as TensorFlow Serving writes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from pipelines.serving.server.errors import invalid
from pipelines.serving.server.models.signature import Arrays

_AS_NUMBERS = orjson.OPT_SERIALIZE_NUMPY


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
        return _dumped({"predictions": next(iter(written.values()))}, outputs)
    rows = [dict(zip(written, values)) for values in zip(*written.values())]
    return _dumped({"predictions": rows}, outputs)


def write_columns(outputs: Arrays) -> bytes:
    """`{"outputs": ...}`: an object with every output, or the value if it is one."""
    written = {name: _writable(name, value) for name, value in outputs.items()}
    only = next(iter(written.values())) if len(written) == 1 else written
    return _dumped({"outputs": only}, outputs)


def write_results(results: list) -> bytes:
    """`{"results": [...]}` of a classification or a regression."""
    return _dumped({"results": results}, {})


def _writable(name: str, array: np.ndarray) -> Any:
    if array.dtype == object:
        convert = _as_base64 if name.endswith("_bytes") else _as_text
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


def _dumped(value: Any, outputs: Arrays) -> bytes:
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
