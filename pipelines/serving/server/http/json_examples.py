"""Examples in JSON, for classify and regress, to `tf.train.Example`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from pipelines.serving.server.errors import invalid, refuse_too_many
from pipelines.serving.server.http.json_tensors import decoded

_LARGEST = 2**63


def serialized(request: Mapping[str, Any]) -> list[bytes]:
    """The examples of a request, each with the context's features behind its own.

    Raises:
        ServingError: without examples, or for a feature of several kinds.
    """
    listed = request.get("examples")
    if not isinstance(listed, list) or not listed:
        raise invalid(
            "When method is classify or regress, key 'examples' is expected and must be"
            " a list with at least one example."
        )
    refuse_too_many(len(listed))
    context = request.get("context", {})
    if not isinstance(context, dict):
        raise invalid("Key 'context' must be an object with features.")
    return [_example({**context, **_object(item)}) for item in listed]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid("Example must be JSON object, a name and a value for a feature.")
    return value


def _example(features: Mapping[str, Any]) -> bytes:
    example = tf.train.Example()
    for name, value in features.items():
        _fill(example.features.feature[name], name, value)
    return example.SerializeToString()


def _fill(feature: Any, name: str, value: Any) -> None:
    values = value if isinstance(value, list) else [value]
    kinds = {_kind(name, value) for value in values}
    if len(kinds) > 1:
        raise invalid(
            f"Feature {name!r} has values of different kinds: {sorted(kinds)}."
        )
    match next(iter(kinds), None):
        case "int64":
            feature.int64_list.value.extend(int(value) for value in values)
        case "float":
            feature.float_list.value.extend(values)
        case "bytes":
            feature.bytes_list.value.extend(_bytes(value) for value in values)


def _kind(name: str, value: Any) -> str:
    if isinstance(value, bool | int) and -_LARGEST <= value < _LARGEST:
        return "int64"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str) or _is_bytes(value):
        return "bytes"
    raise invalid(
        f"Feature {name!r} has a value that no feature can have; allowed are numbers of"
        ' at most 64 bits, strings, {"b64": "..."}, and lists of them.'
    )


def _is_bytes(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and list(value) == ["b64"]
        and isinstance(value["b64"], str)
    )


def _bytes(value: Any) -> bytes:
    return decoded(value["b64"]) if isinstance(value, dict) else value.encode()
