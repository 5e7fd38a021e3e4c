"""The Open Inference Protocol (KServe's version 2) over REST, with binary data.

Requests name, type and shape each tensor; see docs/reference/open_inference.md.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
import orjson

from pipelines.serving import naming
from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.http import binary_tensors, json_answers, json_tensors
from pipelines.serving.server.http.binary_tensors import DATATYPES, TYPES
from pipelines.serving.server.http.json_answers import Body
from pipelines.serving.server.http.urls import Asked
from pipelines.serving.server.models import service
from pipelines.serving.server.models.manager import Loaded, Manager
from pipelines.serving.server.models.signature import (
    Arrays,
    Signature,
    TensorInfo,
    check_filter,
)

HEADER_LENGTH = "inference-header-content-length"
_PACKAGE = "zootune"
_PLATFORM = "tensorflow_savedmodel"
_BASE64 = "base64"
_STEPS = ("name", "datatype", "shape")


@dataclasses.dataclass(frozen=True)
class Request:
    """The JSON of a request, and the binary data behind it."""

    values: Mapping[str, Any]
    binary: bytes = b""


def server() -> bytes:
    """The answer to `GET /v2`."""
    return orjson.dumps(
        {
            "name": _PACKAGE,
            "version": importlib.metadata.version(_PACKAGE),
            "extensions": ["binary_tensor_data"],
        }
    )


def model(manager: Manager, asked: Asked) -> Body:
    """The answer to `GET /v2/models/NAME`: its versions, inputs and outputs."""
    version = manager.resolve(asked.target)
    signature = _signature(version, {})
    values: dict[str, Any] = {
        "name": asked.target.name,
        "versions": [
            str(known.number)
            for known in manager.status(dataclasses.replace(asked.target, version=None))
            if known.state.name == "AVAILABLE"
        ],
        "platform": _PLATFORM,
        "inputs": _described(signature.inputs),
        "outputs": _described(signature.outputs),
    }
    if version.servable.class_names:  # which the protocol knows nothing of
        values[naming.CLASS_NAMES] = version.servable.class_names
    return Body(orjson.dumps(values), service.version_headers(version))


def ready(manager: Manager, asked: Asked) -> Body:
    """The answer to `GET /v2/models/NAME/ready`.

    Raises:
        ServingError: if there is no such model.
    """
    name = asked.target.name
    if name not in manager.names:
        manager.resolve(asked.target)
    try:
        manager.resolve(asked.target)
        is_ready = True
    except ServingError:
        is_ready = False
    content = orjson.dumps({"name": name, "ready": is_ready})
    return Body(content, status=200 if is_ready else 503)


def parse(body: bytes, header_length: str | None) -> Request:
    """The request in a body, whose JSON ends where the header says.

    Raises:
        ServingError: if there is not a JSON object of that length.
    """
    if header_length is None:
        return Request(json_tensors.parse(body))
    if not header_length.isdigit() or int(header_length) > len(body):
        raise invalid(
            f"The header {HEADER_LENGTH} is {header_length[:20]!r}, and the body has"
            f" {len(body)} bytes. It is the number of bytes of JSON at its beginning."
        )
    end = int(header_length)
    return Request(json_tensors.parse(body[:end]), body[end:])


async def infer(
    version: Loaded,
    request: Request,
    read: Callable[[Callable[[], Any]], Awaitable[Any]],
    deadline: float,
) -> Body:
    """The answer to `POST /v2/models/NAME/infer`.

    Raises:
        ServingError: if the request is not as the protocol or the model has it.
    """
    values = request.values
    parameters = _parameters(values, "the request")
    signature = _signature(version, parameters)
    identity = values.get("id", "")
    if not isinstance(identity, str):
        raise invalid("'id' must be a string.")
    inputs = await read(lambda: read_inputs(request, signature))
    wanted = _wanted(values)
    check_filter(signature, list(wanted))
    outputs = await service.predict(version, signature, inputs, deadline=deadline)
    outputs = {name: outputs[name] for name in wanted or outputs}
    about = {
        "model_name": version.servable.name,
        "model_version": str(version.number),
        **({"id": identity} if identity else {}),
    }
    is_binary = _flag(parameters, "binary_data_output")
    return _written(
        about, outputs, {name: wanted.get(name, is_binary) for name in outputs}
    )


def read_inputs(request: Request, signature: Signature) -> Arrays:
    """The tensors of a request by name.

    Raises:
        ServingError: naming the tensor that is not as it should be.
    """
    entries = request.values.get("inputs")
    if not isinstance(entries, list) or not entries:
        raise invalid("'inputs' must be a list with at least one tensor.")
    found: Arrays = {}
    place = 0
    for number, entry in enumerate(entries):
        name, info, shape = _head(number, entry, signature)
        if name in found:
            raise invalid(f"Input {name!r} came twice.")
        parameters = _parameters(entry, f"input {name!r}")
        size = parameters.get("binary_data_size")
        if (size is None) == ("data" not in entry):
            raise invalid(
                f"Input {name!r} must have either 'data' or the parameter"
                " 'binary_data_size'."
            )
        if size is None:
            found[name] = _from_json(name, entry["data"], info, shape, parameters)
            continue
        if not _is_count(size) or place + size > len(request.binary):
            raise invalid(
                f"Input {name!r} has 'binary_data_size' {str(size)[:20]}, and"
                f" {len(request.binary) - place} bytes are left behind the JSON."
            )
        chunk = request.binary[place : place + size]
        found[name] = binary_tensors.read(name, chunk, info.dtype, shape)
        place += size
    if place != len(request.binary):
        raise invalid(
            f"{len(request.binary) - place} bytes are behind those of all inputs."
        )
    return found


def _head(
    number: int, entry: Any, signature: Signature
) -> tuple[str, TensorInfo, tuple[int, ...]]:
    """Name, expected type and shape of a tensor of a request."""
    if not isinstance(entry, dict) or any(step not in entry for step in _STEPS):
        raise invalid(
            f"Input {number} must be an object with {', '.join(_STEPS)}, and data."
        )
    name, datatype, shape = (entry[step] for step in _STEPS)
    if not isinstance(name, str) or name not in signature.inputs:
        raise invalid(
            f"There is no input {str(name)[:64]!r}; the model has"
            f" {sorted(signature.inputs)}."
        )
    info = signature.inputs[name]
    if not isinstance(datatype, str) or TYPES.get(datatype) != info.dtype:
        raise invalid(
            f"Input {name!r} has datatype {str(datatype)[:20]!r}, and the model takes"
            f" {DATATYPES.get(info.dtype, info.dtype.name)}."
        )
    if not isinstance(shape, list) or not all(map(_is_count, shape)):
        raise invalid(f"The shape of input {name!r} must be a list of sizes.")
    return name, info, tuple(shape)


def _from_json(
    name: str,
    data: Any,
    info: TensorInfo,
    shape: tuple[int, ...],
    parameters: Mapping[str, Any],
) -> np.ndarray:
    """The array in 'data', flat in the order of rows or nested as the shape is."""
    if not isinstance(data, list):
        raise invalid(f"'data' of input {name!r} must be a list.")
    array = json_tensors.array_of(data, info, name)
    if parameters.get("content_type") == _BASE64:
        if array.dtype != object:
            raise invalid(f"Input {name!r} has numbers, and no content_type.")
        flat = [json_tensors.decoded(text.decode()) for text in array.ravel()]
        array.ravel()[:] = flat
    if array.shape != shape and (
        array.ndim != 1 or array.size != math.prod(map(int, shape))
    ):
        raise invalid(
            f"Input {name!r} has the shape {list(shape)}, and 'data' has"
            f" {list(array.shape)}."
        )
    return array.reshape(shape)


def _wanted(values: Mapping[str, Any]) -> dict[str, bool]:
    """The outputs that a request asks for, and whether each is to be binary."""
    entries = values.get("outputs", [])
    if not isinstance(entries, list):
        raise invalid("'outputs' must be a list of objects with a name.")
    wanted: dict[str, bool] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise invalid("'outputs' must be a list of objects with a name.")
        if entry["name"] in wanted:
            raise invalid(f"Output {entry['name']!r} is asked for twice.")
        parameters = _parameters(entry, f"output {entry['name']!r}")
        if "classification" in parameters:
            raise ServingError(
                Code.UNIMPLEMENTED,
                "The parameter 'classification' is not supported; ask for the output"
                " without it, or POST /v1/models/NAME:classify.",
            )
        wanted[entry["name"]] = _flag(parameters, "binary_data")
    return wanted


def _written(
    about: Mapping[str, Any], outputs: Arrays, is_binary: Mapping[str, bool]
) -> Body:
    rows, chunks = [], []
    for name, array in outputs.items():
        row: dict[str, Any] = {
            "name": name,
            "datatype": binary_tensors.datatype(array),
            "shape": list(array.shape),
        }
        if is_binary[name]:
            chunks.append(binary_tensors.write(array))
            row["parameters"] = {"binary_data_size": len(chunks[-1])}
        else:
            row["data"] = json_answers.flat(name, array)
            if row["datatype"] == "BYTES" and json_answers.is_binary(name):
                row["parameters"] = {"content_type": _BASE64}
        rows.append(row)
    in_json = {name: array for name, array in outputs.items() if not is_binary[name]}
    content = json_answers.dumped({**about, "outputs": rows}, in_json)
    if not chunks:
        return Body(content)
    headers = {HEADER_LENGTH: str(len(content))}
    headers["content-type"] = "application/octet-stream"
    return Body(content + b"".join(chunks), headers)


def _signature(version: Loaded, parameters: Mapping[str, Any]) -> Signature:
    return json_tensors.find_signature(
        service.signatures(version), parameters, naming.DEFAULT
    )


def _described(infos: Mapping[str, TensorInfo]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "datatype": DATATYPES.get(info.dtype, info.dtype.name),
            "shape": [-1 if dim is None else dim for dim in info.shape or (None,)],
        }
        for name, info in infos.items()
    ]


def _parameters(values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    parameters = values.get("parameters", {})
    if not isinstance(parameters, dict):
        raise invalid(f"'parameters' of {where} must be an object.")
    return parameters


def _flag(parameters: Mapping[str, Any], name: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise invalid(f"The parameter {name!r} must be true or false.")
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
