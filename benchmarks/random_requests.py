"""Random requests that are almost right: nothing but a sentence may come back.

Each is a good request, over REST or gRPC, with some of its parts changed: values of
other types and sizes, names that are none, bytes cut or flipped, headers that lie. The
same seed makes the same requests. A status of 500 and above other than 503 and 504, and
`UNKNOWN`, `INTERNAL` or `DATA_LOSS` over gRPC, are faults of the server.

Command: python -m benchmarks.random_requests BASE [--count=30000] [--seed=0]
Cost:    about 3 minutes for 30,000 on a core, 1 GB of memory. BASE is a folder of
         versions that take images.
"""

from __future__ import annotations

import argparse
import base64
import collections
import contextlib
import gzip
import http.client
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from benchmarks.hostile_clients import server
from benchmarks.hostile_patterns import photo

_FAULTS = ("UNKNOWN", "INTERNAL", "DATA_LOSS")
_SERVICE = "/tensorflow.serving.PredictionService/"
_NAMES = ("serving_default", "classify", "pixels", "features", "explain", "", "nowhere")
_ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 256, 2**31, 2**63, 2**64, 10**400, -(2**63) - 1, 1e39),
    *(float("nan"), float("inf"), "", "text", "\ud800", "\0", "é" * 50, [], [[]], {}),
    *([[[]]], [1, [2]], {"b64": ""}, {"b64": "*"}, {"b64": "QQ"}, {"b64": 1}),
    *({"b64": "QQ==", "x": 1}, ["a", 1], [None], {"image_bytes": []}, [[0] * 300] * 3),
)


class Requests:
    """Requests made from a seed."""

    def __init__(self, seed: int, model: str) -> None:
        self._random = random.Random(seed)
        self._model = model
        self._images = [photo(kind, 24) for kind in ("JPEG", "PNG", "GIF")]

    def rest(self) -> tuple[str, str, bytes, dict[str, str]]:
        """Method, path, body and headers of the next request."""
        some = self._random
        verb = some.choice(("predict",) * 4 + ("classify", "regress", "", "/metadata"))
        path = f"/v1/models/{self._odd_name(self._model)}"
        if some.random() < 0.1:
            version = some.choice((1, 2, -1, "x", 10**20, "%31", "1/labels/a"))
            path += f"/versions/{version}"
        elif some.random() < 0.05:
            path += f"/labels/{some.choice(('stable', '%00', 'a/b', ''))}"
        path += verb if verb.startswith("/") else verb and f":{verb}"
        method = "POST" if verb and not verb.startswith("/") else "GET"
        if some.random() < 0.03:
            method = some.choice(("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "POST"))
        body = self._broken(self._json(verb)) if method != "GET" else b""
        headers = {}
        if some.random() < 0.1:
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        if some.random() < 0.05:
            headers["Content-Encoding"] = some.choice(("gzip", "br", "identity", "é"))
        if some.random() < 0.05:
            headers["Content-Type"] = some.choice(("", "text/plain", "multipart/x"))
        if some.random() < 0.05:
            headers["Authorization"] = some.choice(("", "Bearer", "bearer \xff", "x y"))
        return method, path, body, headers

    def _json(self, verb: str) -> Any:
        some = self._random
        key = "examples" if verb in ("classify", "regress") else "instances"
        count = some.choice((1, 1, 1, 2, 5))
        values = [self._value(key) for _ in range(count)]
        request: dict[str, Any] = {key: values}
        if key == "instances" and some.random() < 0.3:
            request = {
                "inputs": self._odd(some.choice((values, {"image_bytes": values})))
            }
        if some.random() < 0.5:
            request["signature_name"] = self._odd(some.choice(_NAMES))
        if some.random() < 0.1:
            request["context"] = self._odd({"a": 1})
        return self._odd(request)

    def _value(self, key: str) -> Any:
        some = self._random
        encoded = {"b64": base64.b64encode(self._image()).decode()}
        if key == "examples":
            feature = self._odd_name("image_bytes")
            return self._odd({feature: self._odd(encoded)})
        kind = some.randrange(4)
        if kind == 0:
            side = some.choice((0, 1, 8, 32))
            pixel = self._odd([1, 2, 3])
            return self._odd([[pixel] * side] * side)
        return self._odd({"image_bytes": encoded} if kind == 1 else encoded)

    def _image(self) -> bytes:
        image = self._random.choice(self._images)
        return self._flipped(image) if self._random.random() < 0.5 else image

    def _odd(self, value: Any) -> Any:
        return self._random.choice(_ODD) if self._random.random() < 0.08 else value

    def _odd_name(self, name: str) -> str:
        if self._random.random() > 0.05:
            return name
        return self._random.choice(("", "x" * 300, "%2e%2e", "a%00b", "%ff", "\u00e9"))

    def _broken(self, value: Any) -> bytes:
        body = json.dumps(value).encode()
        if self._random.random() < 0.1:
            body = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
        return self._flipped(body) if self._random.random() < 0.15 else body

    def _flipped(self, content: bytes) -> bytes:
        """Cut, flipped, doubled, or with a piece of it somewhere else."""
        some, changed = self._random, bytearray(content)
        for _ in range(some.choice((1, 1, 3, 20))):
            place = some.randrange(len(changed) + 1)
            kind = some.randrange(4)
            if kind == 0:
                del changed[place : place + some.choice((1, 5, 1000))]
            elif kind == 1 and place < len(changed):
                changed[place] = some.randrange(256)
            elif kind == 2:
                changed[place:place] = changed[: some.choice((1, 10))]
            else:
                changed[place:place] = some.randbytes(some.choice((1, 4)))
        return bytes(changed)

    def rpc(self) -> tuple[str, bytes]:
        """Method and message of the next call."""
        some = self._random
        method = some.choice(("Predict",) * 5 + tuple(self._METHODS))
        message = self._METHODS[method](self)
        content = message.SerializeToString()
        if some.random() < 0.15:
            content = self._flipped(content)
        service = "tensorflow.serving.ModelService/" if "Status" in method else ""
        return f"/{service}{method}" if service else _SERVICE + method, content

    def _spec(self, spec: Any) -> None:
        some = self._random
        spec.name = self._odd_text(self._model)
        if some.random() < 0.5:
            spec.signature_name = some.choice(_NAMES)
        if some.random() < 0.1:
            spec.version.value = some.choice((1, 0, -1, 2**62))
        elif some.random() < 0.05:
            spec.version_label = some.choice(("", "stable", "\0"))

    def _odd_text(self, text: str) -> str:
        if self._random.random() > 0.05:
            return text
        return self._random.choice(("", "nowhere", "\0", "é" * 40))

    def _predict(self) -> Any:
        request = predict_pb2.PredictRequest()
        self._spec(request.model_spec)
        for _ in range(self._random.choice((1, 1, 1, 1, 0, 2))):
            name = self._odd_text(self._random.choice(("image_bytes", "pixels")))
            self._tensor(request.inputs[name])
        if self._random.random() < 0.1:
            request.output_filter.extend(["label", self._odd_text("label")])
        return request

    def _tensor(self, proto: tensor_pb2.TensorProto) -> None:
        some = self._random
        proto.dtype = some.choice((7, 7, 7, 4, 1, 3, 19, 14, some.randrange(160)))
        if some.random() < 0.05:
            proto.tensor_shape.unknown_rank = True
        sizes = (0, 1, 2, 3, 24, -1, 2**31, 2**40, 2**62)
        for _ in range(some.choice((0, 1, 1, 1, 2, 4, 40))):
            proto.tensor_shape.dim.add(size=some.choice((1, 1, 2, *sizes)))
        if some.random() < 0.6:
            proto.string_val.extend(self._image() for _ in range(some.randrange(1, 4)))
        if some.random() < 0.3:
            proto.int_val.extend(some.choices((0, 255, 256, -1, 2**31 - 1), k=3))
        if some.random() < 0.1:
            proto.half_val.extend(some.choices((0, 65_535, 70_000, -1), k=2))
        if some.random() < 0.2:
            proto.float_val.extend((1.0, float("nan"), float("inf")))
        if some.random() < 0.1:
            proto.tensor_content = some.randbytes(some.choice((1, 3, 12, 1728)))
        if some.random() < 0.1:
            proto.bool_val.append(True)
            proto.int64_val.append(-(2**63))
            proto.uint64_val.append(2**64 - 1)

    def _input(self, message: Any) -> None:
        kind = self._random.randrange(4)
        examples = message.example_list.examples
        if kind == 1:
            examples = message.example_list_with_context.examples
            self._example(message.example_list_with_context.context)
        for _ in range(self._random.choice((0, 1, 1, 2, 4))):
            self._example(examples.add())

    def _example(self, example: example_pb2.Example) -> None:
        some = self._random
        feature = example.features.feature[self._odd_text("image_bytes")]
        kind = some.randrange(5)
        if kind <= 2:
            feature.bytes_list.value.extend(self._image() for _ in range(kind))
        elif kind == 3:
            feature.float_list.value.append(1.0)
        else:
            feature.int64_list.value.append(7)

    def _classify(self) -> Any:
        request = classification_pb2.ClassificationRequest()
        self._spec(request.model_spec)
        self._input(request.input)
        return request

    def _regress(self) -> Any:
        request = regression_pb2.RegressionRequest()
        self._spec(request.model_spec)
        self._input(request.input)
        return request

    def _multi(self) -> Any:
        request = inference_pb2.MultiInferenceRequest()
        for _ in range(self._random.randrange(3)):
            task = request.tasks.add()
            self._spec(task.model_spec)
            task.method_name = self._random.choice(
                ("tensorflow/serving/classify", "tensorflow/serving/regress", "x")
            )
        self._input(request.input)
        return request

    def _metadata(self) -> Any:
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        self._spec(request.model_spec)
        request.metadata_field.append(self._odd_text("signature_def"))
        return request

    def _status(self) -> Any:
        request = get_model_status_pb2.GetModelStatusRequest()
        self._spec(request.model_spec)
        return request

    _METHODS: dict[str, Callable[[Requests], Any]] = {
        "Predict": _predict,
        "Classify": _classify,
        "Regress": _regress,
        "MultiInference": _multi,
        "GetModelMetadata": _metadata,
        "GetModelStatus": _status,
    }


def ask(
    ports: tuple[int, int], *, model: str, count: int, seed: int
) -> tuple[collections.Counter[str], list[str]]:
    """The count of each status, and the requests whose answers are faults."""
    requests = Requests(seed, model)
    statuses: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    rest = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=60)
    with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        for i in range(count):
            asked: tuple = requests.rest() if i % 2 else requests.rpc()
            status = _over_rest(rest, *asked) if i % 2 else _over_rpc(channel, *asked)
            statuses[status] += 1
            if _is_fault(status):
                faults.append(f"{i}: {status}: {str(asked)[:2000]}")
    rest.close()
    return statuses, faults


def _over_rest(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> str:
    # Written by hand: the library refuses paths that are none.
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("utf-8")
    if connection.sock is None:
        connection.connect()
    connection.sock.sendall(head + body)
    response = http.client.HTTPResponse(connection.sock, method=method)
    with contextlib.closing(response):
        response.begin()
        response.read()
        if response.will_close:
            connection.close()
        return str(response.status)


def _over_rpc(channel: grpc.Channel, method: str, content: bytes) -> str:
    try:
        channel.unary_unary(method)(content, timeout=60)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def _is_fault(status: str) -> bool:
    if status.isdigit():
        return int(status) >= 500 and status not in ("503", "504")
    return status in _FAULTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        server(arguments.base, Path(folder)) as (_, ports),
    ):
        statuses, faults = ask(
            ports, model="m", count=arguments.count, seed=arguments.seed
        )
    for fault in faults[:20]:
        print(fault)
    print(json.dumps(dict(statuses.most_common())), len(faults), "faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
