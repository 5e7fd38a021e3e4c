"""Asks a server for predictions, and asks again when that may help.

Over REST it needs neither TensorFlow nor anything of the training code. Over gRPC it
needs the messages of `tensorflow-serving-api`, which import TensorFlow.

A server may load another version at any moment, with other classes. So every answer is
read with the names of the version that gave it, and never with those of another.
"""

from __future__ import annotations

import abc
import base64
import dataclasses
import functools
import json
import logging
import os
import random
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from pipelines.errors import ArtifactError, DataError
from pipelines.serving import given, naming
from pipelines.serving.given import Takes
from pipelines.serving.prediction import Prediction, from_outputs

_logger = logging.getLogger("zootune")
_FIRST_PAUSE_SECONDS = 0.1
_MAY_HELP = (429, 503)
_TRANSPORT = "no answer"
# Over REST and over gRPC.
_REFUSED_INPUT = (400, "INVALID_ARGUMENT")
_NOT_FOUND = (404, "NOT_FOUND")
# So often another version may take over while one request is answered.
_MOST_CHANGES = 8
_REMEMBERED = 8
# Of two probabilities that are the same, written and read again.
_SAME = 1e-6
_LOCAL = ("localhost", "127.0.0.1", "::1", "")


class ServerError(RuntimeError):
    """A server refused, or gave no answer in time.

    `code` is an HTTP status or the name of a gRPC code; `no answer` if there was none.
    """

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclasses.dataclass(frozen=True)
class _Whose:
    """Which version an answer says that it is of; None where a server says nothing."""

    version: int | None = None
    digest: str | None = None


@dataclasses.dataclass(frozen=True)
class _Model:
    """A version, as its metadata describe it: what it takes, what its classes are."""

    version: int
    takes: Takes
    class_names: tuple[str, ...]

    @functools.cached_property
    def digest(self) -> str:
        return naming.digest(self.class_names)

    @functools.cached_property
    def _position(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.class_names)}

    def is_of(self, whose: _Whose) -> bool:
        """Whether an answer is of this version, as far as it says."""
        return self.version == whose.version and whose.digest in (None, self.digest)

    def fits(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether answers can be of these classes: their labels are the likeliest."""
        return all(self._fits(row) for row in rows)

    def _fits(self, row: Mapping[str, Any]) -> bool:
        probabilities = np.asarray(row["probabilities"])
        if len(probabilities) != len(self.class_names):
            return False
        if not row["valid"]:
            return True
        label = row["label"]
        label = label.decode() if isinstance(label, bytes) else label
        position = self._position.get(label)
        return (
            position is not None
            and probabilities[position] >= probabilities.max() - _SAME
        )


class _Client(abc.ABC):
    """What both clients do: describe, ask, and read with the names of the answer."""

    def __init__(self, *, timeout_seconds: float, retries: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._newest: _Model | None = None
        self._known: dict[tuple[int, str], _Model] = {}

    @abc.abstractmethod
    def _describe(self, version: int | None, deadline: float) -> _Model:
        """A version, or the one that answers now. Raises `_Gone` if it is no more."""

    @abc.abstractmethod
    def _answers(
        self, model: _Model, examples: list[Any], deadline: float
    ) -> tuple[Sequence[Mapping[str, Any]], _Whose]:
        """A row of outputs for each example, and which version gave them."""

    def predict(
        self, examples: Any, *, timeout_seconds: float | None = None
    ) -> list[Prediction]:
        """A prediction for each of several examples, in order.

        An example is an image (encoded, its path, an open file, a Pillow image, or an
        array of uint8), a text, or a series `[steps, channels]` of any numbers. All
        attempts together take at most `timeout_seconds`.

        Raises:
            ServerError: if the server refuses, or there is no answer in time.
            DataError: for a single example, and for one that the model does not take.
            ArtifactError: if a series has another shape than the model takes.
        """
        items = given.listed(examples)
        if not items:
            return []
        deadline = time.monotonic() + (timeout_seconds or self._timeout_seconds)
        for _ in range(_MOST_CHANGES):
            try:
                found = self._predicted(examples, items, deadline)
            except _Gone:
                self._newest = None
                continue
            if found is not None:
                return found
        raise ServerError(
            _TRANSPORT,
            "versions came and went faster than they could be asked what their classes"
            f" are called, {_MOST_CHANGES} times; ask again",
        )

    def _predicted(
        self, examples: Any, items: list[Any], deadline: float
    ) -> list[Prediction] | None:
        """Predictions, or None if another version took over in between."""
        model = self._newest
        if model is None:
            model = self._newest = self._described(None, deadline)
        given.refuse_one_array(examples, model.takes)
        try:
            made = given.made(items, model.takes)
            rows, whose = self._answers(model, made, deadline)
        except (ServerError, ValueError, RuntimeError) as refusal:
            if not _may_be_of_another(refusal) or not self._is_replaced(
                model, deadline
            ):
                raise
            return None
        if not model.is_of(whose):
            self._newest = model = self._named(whose, deadline)
        if not (model.is_of(whose) and model.fits(rows)):
            self._forget(model)
            return None
        return [
            from_outputs(
                row,
                model.class_names,
                reason="" if row["valid"] else given.why_not_valid(one, model.takes),
            )
            for one, row in zip(made, rows, strict=True)
        ]

    def _is_replaced(self, model: _Model, deadline: float) -> bool:
        """Whether another version answers now than the one that was thought to."""
        self._newest = now = self._described(None, deadline)
        return now != model

    def _named(self, whose: _Whose, deadline: float) -> _Model:
        if whose.version is not None and whose.digest is not None:
            known = self._known.get((whose.version, whose.digest))
            if known is not None:
                return known
        return self._described(whose.version, deadline)

    def _described(self, version: int | None, deadline: float) -> _Model:
        model = self._describe(version, deadline)
        while len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known), (0, "")), None)
        self._known[model.version, model.digest] = model
        return model

    def _forget(self, model: _Model) -> None:
        self._known.pop((model.version, model.digest), None)
        self._newest = None


class RestClient(_Client):
    """Predictions of one model over REST. Any number of threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        model: str,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        retries: int = 3,
        ca_file: Path | None = None,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, retries=retries)
        # A name may have a slash or a colon in it, which mean something in an address.
        self._base = f"{url.rstrip('/')}/v1/models/{urllib.parse.quote(model, safe='')}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = urllib.parse.urlsplit(url)
        if token and address.scheme == "http":
            _warn_of_plain_token(address.hostname or "", "https://")
        self._ca_file = ca_file
        self._pool, self._pool_of = self._new_pool(), os.getpid()
        # Whether its answers say of which version they are. TensorFlow Serving's do
        # not, so a version is asked for by its number.
        self._says_whose = True

    def _new_pool(self) -> urllib3.PoolManager:
        ca_certs = str(self._ca_file) if self._ca_file else None
        return urllib3.PoolManager(maxsize=16, ca_certs=ca_certs, retries=False)

    def _describe(self, version: int | None, deadline: float) -> _Model:
        which = "" if version is None else f"/versions/{version}"
        found, _ = self._ask("GET", f"{which}/metadata", None, deadline)
        number = int(found["model_spec"]["version"])
        metadata = found["metadata"]
        names = metadata.get(naming.CLASS_NAMES)
        if names is None:
            # `classify` names all classes, also for an empty example.
            path = f"/versions/{number}:classify"
            answer, _ = self._ask("POST", path, _EMPTY, deadline)
            (pairs,) = answer["results"]
            names = [name for name, _ in pairs]
        signatures = metadata["signature_def"]["signature_def"]
        return _Model(number, _takes_of(signatures), tuple(names))

    def _answers(
        self, model: _Model, examples: list[Any], deadline: float
    ) -> tuple[Sequence[Mapping[str, Any]], _Whose]:
        request = {"instances": [_as_json(one) for one in examples]}
        if self._says_whose:
            found, headers = self._ask("POST", ":predict", request, deadline)
            whose = _whose(headers)
            if whose.version is not None:
                return found["predictions"], whose
            self._says_whose = False
        number = self._number_of_newest(deadline)
        path = f"/versions/{number}:predict"
        found, _ = self._ask("POST", path, request, deadline)
        return found["predictions"], _Whose(number)

    def _number_of_newest(self, deadline: float) -> int:
        found, _ = self._ask("GET", "", None, deadline)
        rows = found["model_version_status"]
        numbers = [int(one["version"]) for one in rows if one["state"] == "AVAILABLE"]
        if not numbers:
            raise ServerError(503, "no version of the model is loaded")
        return max(numbers)

    def _ask(
        self, method: str, path: str, request: dict[str, Any] | None, deadline: float
    ) -> tuple[Any, Mapping[str, str]]:
        body = None if request is None else json.dumps(request).encode()
        try:
            return _until(
                deadline,
                self._retries,
                lambda: self._ask_once(method, path, body, deadline),
            )
        except ServerError as refusal:
            if refusal.code in _NOT_FOUND and path.startswith("/versions/"):
                raise _Gone from refusal
            raise

    def _ask_once(
        self, method: str, path: str, body: bytes | None, deadline: float
    ) -> tuple[Any, Mapping[str, str]]:
        remaining = max(deadline - time.monotonic(), 0.001)
        if self._pool_of != os.getpid():
            # After a fork: two processes on one connection would mix up answers.
            self._pool, self._pool_of = self._new_pool(), os.getpid()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            response = self._pool.request(
                method,
                f"{self._base}{path}",
                body=body,
                headers={**headers, **self._headers},
                timeout=urllib3.Timeout(total=remaining),
            )
        except urllib3.exceptions.HTTPError as error:
            raise _Again(ServerError(_TRANSPORT, str(error))) from error
        answer = _parsed(response.data)
        if response.status == 200:
            return answer, response.headers
        said = answer.get("error", answer) if isinstance(answer, dict) else answer
        refusal = ServerError(response.status, str(said))
        if response.status in _MAY_HELP:
            raise _Again(refusal, _seconds(response.headers.get("Retry-After")))
        raise refusal


class GrpcClient(_Client):
    """Predictions of one model over gRPC."""

    def __init__(
        self,
        address: str,
        *,
        model: str,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        retries: int = 3,
        ca_file: Path | None = None,
    ) -> None:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        super().__init__(timeout_seconds=timeout_seconds, retries=retries)
        self._model = model
        self._metadata = [("authorization", f"Bearer {token}")] if token else None
        if ca_file is None:
            channel = grpc.insecure_channel(address)
            if token:
                host = address.rpartition(":")[0].strip("[]")
                _warn_of_plain_token(host, "ca_file")
        else:
            credentials = grpc.ssl_channel_credentials(ca_file.read_bytes())
            channel = grpc.secure_channel(address, credentials)
        self._channel = channel
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._made_in = os.getpid()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _describe(self, version: int | None, deadline: float) -> _Model:
        from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2

        asked = get_model_metadata_pb2.GetModelMetadataRequest()
        asked.metadata_field.append("signature_def")
        method = self._stub.GetModelMetadata
        response, _ = self._ask(method, asked, deadline, version=version)
        number = response.model_spec.version.value
        described = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(described)
        request = classification_pb2.ClassificationRequest()
        request.model_spec.signature_name = "classify"
        # `classify` names all classes, also for an empty example.
        request.input.example_list.examples.add()
        answer, _ = self._ask(self._stub.Classify, request, deadline, version=number)
        (one,) = answer.result.classifications
        names = tuple(found.label for found in one.classes)
        return _Model(number, _takes_of_protos(described.signature_def), names)

    def _answers(
        self, model: _Model, examples: list[Any], deadline: float
    ) -> tuple[Sequence[Mapping[str, Any]], _Whose]:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        is_array = isinstance(examples[0], np.ndarray)
        proto = tf.make_tensor_proto(np.stack(examples) if is_array else examples)
        request.inputs[model.takes.name].CopyFrom(proto)
        response, said = self._ask(self._stub.Predict, request, deadline)
        found = {key: tf.make_ndarray(one) for key, one in response.outputs.items()}
        rows = [
            {key: value[i] for key, value in found.items()}
            for i in range(len(examples))
        ]
        whose = _Whose(
            response.model_spec.version.value, said.get(naming.CLASSES_HEADER)
        )
        return rows, whose

    def _ask(
        self,
        method: Any,
        request: Any,
        deadline: float,
        *,
        version: int | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """The answer of a version, or of the newest, and the metadata behind it."""
        import grpc

        if self._made_in != os.getpid():
            raise RuntimeError(
                "This GrpcClient was made before the process was forked, and would wait"
                " for ever for threads of its parent. Make the client in the worker, or"
                " start workers with multiprocessing.get_context('spawn')."
            )
        may_help = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
        request.model_spec.name = self._model
        if version is not None:
            request.model_spec.version.value = version

        def once() -> tuple[Any, Mapping[str, str]]:
            remaining = max(deadline - time.monotonic(), 0.001)
            try:
                answer, call = method.with_call(
                    request, timeout=remaining, metadata=self._metadata
                )
            except grpc.RpcError as error:
                refusal = ServerError(error.code().name, error.details())
                if error.code() in may_help:
                    raise _Again(refusal) from error
                raise refusal from error
            return answer, dict(call.trailing_metadata() or ())

        try:
            return _until(deadline, self._retries, once)
        except ServerError as refusal:
            if refusal.code in _NOT_FOUND and version is not None:
                raise _Gone from refusal
            raise


class _Again(Exception):
    """A refusal that may not be the last word, and when to come back."""

    def __init__(self, refusal: ServerError, seconds: float | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.seconds = seconds


class _Gone(Exception):
    """A version that answered, and is not served any more."""


_EMPTY = {"signature_name": "classify", "examples": [{}]}


def _until(deadline: float, retries: int, once: Callable[[], Any]) -> Any:
    """Tries again with growing pauses, for as long as there is time."""
    for attempt in range(retries + 1):
        try:
            return once()
        except _Again as again:
            # Clients that were refused together should not come back together.
            pause = _FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
            pause = max(pause, again.seconds or 0.0)
            if attempt == retries or time.monotonic() + pause >= deadline:
                raise again.refusal from again
            time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _may_be_of_another(refusal: Exception) -> bool:
    """Whether examples may be refused because another version takes others."""
    if isinstance(refusal, ServerError):
        return refusal.code in _REFUSED_INPUT
    return isinstance(refusal, (ArtifactError, DataError))


def _whose(headers: Mapping[str, str]) -> _Whose:
    version = headers.get(naming.VERSION_HEADER) or ""
    if not version.isdecimal():
        return _Whose()
    return _Whose(int(version), headers.get(naming.CLASSES_HEADER))


def _takes_of(signatures: Mapping[str, Any]) -> Takes:
    """What the default signature takes, as REST writes it."""
    ((name, tensor),) = signatures["serving_default"]["inputs"].items()
    sizes = [int(one["size"]) for one in tensor["tensor_shape"].get("dim", ())]
    return _takes(name, tensor["dtype"], sizes)


def _takes_of_protos(signatures: Mapping[str, Any]) -> Takes:
    from tensorflow.core.framework import types_pb2

    ((name, tensor),) = signatures["serving_default"].inputs.items()
    dtype = types_pb2.DataType.Name(tensor.dtype)
    return _takes(name, dtype, [one.size for one in tensor.tensor_shape.dim])


def _takes(name: str, dtype: str, sizes: Sequence[int]) -> Takes:
    word = {"DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16"}
    shape = tuple(None if size < 0 else size for size in sizes[1:])
    return Takes(name, word.get(dtype, dtype.removeprefix("DT_").lower()), shape)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"error": body[:200].decode(errors="replace")}


def _seconds(header: str | None) -> float | None:
    is_number = header is not None and header.isascii() and header.isdigit()
    return float(header) if header and is_number else None


def _as_json(example: Any) -> Any:
    if isinstance(example, bytes):
        return {"b64": base64.b64encode(example).decode()}
    return example.tolist() if isinstance(example, np.ndarray) else example


def _warn_of_plain_token(host: str, instead: str) -> None:
    if host not in _LOCAL:
        _logger.warning(
            "The token goes to %s as it is, for everybody on the way to read; use %s.",
            host,
            instead,
        )
