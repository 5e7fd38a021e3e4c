"""Asks a server for predictions, and asks again when that may help.

Over REST it needs neither TensorFlow nor anything of the training code. Over gRPC it
needs the messages of `tensorflow-serving-api`, which import TensorFlow.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from pipelines.serving.prediction import Prediction, from_outputs

Example = bytes | str | np.ndarray
_FIRST_PAUSE_SECONDS = 0.1
_MAY_HELP = (429, 503)
_TRANSPORT = "no answer"


class ServerError(RuntimeError):
    """A server refused, or gave no answer in time.

    `code` is an HTTP status or the name of a gRPC code; `no answer` if there was none.
    """

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class RestClient:
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
        self._base = f"{url.rstrip('/')}/v1/models/{model}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        self._pool = urllib3.PoolManager(
            maxsize=16, ca_certs=str(ca_file) if ca_file else None, retries=False
        )
        self._class_names: tuple[str, ...] | None = None

    def predict(
        self, examples: Sequence[Example], *, timeout_seconds: float | None = None
    ) -> list[Prediction]:
        """A prediction for each example, in order.

        An example is an encoded image, a text, or a series `[steps, channels]`. All
        attempts together take at most `timeout_seconds`.

        Raises:
            ServerError: if the server refuses, or there is no answer in time.
        """
        if not len(examples):
            return []
        deadline = time.monotonic() + (timeout_seconds or self._timeout_seconds)
        names = self._names(deadline)
        request = {"instances": [_as_json(one) for one in examples]}
        rows = self._ask("predict", request, deadline)["predictions"]
        return [from_outputs(row, names) for row in rows]

    def _names(self, deadline: float) -> tuple[str, ...]:
        """The classes, of which `classify` names all, also for an empty example."""
        if self._class_names is None:
            (pairs,) = self._ask("classify", _EMPTY, deadline)["results"]
            self._class_names = tuple(name for name, _ in pairs)
        return self._class_names

    def _ask(self, verb: str, request: dict[str, Any], deadline: float) -> Any:
        body = json.dumps(request).encode()
        return _until(
            deadline, self._retries, lambda: self._ask_once(verb, body, deadline)
        )

    def _ask_once(self, verb: str, body: bytes, deadline: float) -> Any:
        remaining = max(deadline - time.monotonic(), 0.001)
        try:
            response = self._pool.request(
                "POST",
                f"{self._base}:{verb}",
                body=body,
                headers={"Content-Type": "application/json", **self._headers},
                timeout=urllib3.Timeout(total=remaining),
            )
        except urllib3.exceptions.HTTPError as error:
            raise _Again(ServerError(_TRANSPORT, str(error))) from error
        answer = _parsed(response.data)
        if response.status == 200:
            return answer
        refusal = ServerError(response.status, str(answer.get("error", answer)))
        if response.status in _MAY_HELP:
            raise _Again(refusal, _seconds(response.headers.get("Retry-After")))
        raise refusal


class GrpcClient:
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

        self._model = model
        self._metadata = [("authorization", f"Bearer {token}")] if token else None
        self._timeout_seconds = timeout_seconds
        self._retries = retries
        if ca_file is None:
            channel = grpc.insecure_channel(address)
        else:
            credentials = grpc.ssl_channel_credentials(ca_file.read_bytes())
            channel = grpc.secure_channel(address, credentials)
        self._channel = channel
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._class_names: tuple[str, ...] | None = None
        self._input: str | None = None

    def predict(
        self, examples: Sequence[Example], *, timeout_seconds: float | None = None
    ) -> list[Prediction]:
        """As `RestClient.predict`.

        Raises:
            ServerError: if the server refuses, or there is no answer in time.
        """
        if not len(examples):
            return []
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        deadline = time.monotonic() + (timeout_seconds or self._timeout_seconds)
        names = self._names(deadline)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        given = np.stack(examples) if _is_array(examples[0]) else list(examples)
        proto = tf.make_tensor_proto(given)
        request.inputs[self._input_name(deadline)].CopyFrom(proto)
        response = self._ask(self._stub.Predict, request, deadline)
        found = {key: tf.make_ndarray(one) for key, one in response.outputs.items()}
        return [
            from_outputs({key: value[i] for key, value in found.items()}, names)
            for i in range(len(examples))
        ]

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _names(self, deadline: float) -> tuple[str, ...]:
        if self._class_names is None:
            from tensorflow_serving.apis import classification_pb2

            request = classification_pb2.ClassificationRequest()
            request.model_spec.name = self._model
            request.model_spec.signature_name = "classify"
            request.input.example_list.examples.add()
            response = self._ask(self._stub.Classify, request, deadline)
            (one,) = response.result.classifications
            self._class_names = tuple(found.label for found in one.classes)
        return self._class_names

    def _input_name(self, deadline: float) -> str:
        if self._input is None:
            from tensorflow_serving.apis import get_model_metadata_pb2

            request = get_model_metadata_pb2.GetModelMetadataRequest()
            request.model_spec.name = self._model
            request.metadata_field.append("signature_def")
            response = self._ask(self._stub.GetModelMetadata, request, deadline)
            described = get_model_metadata_pb2.SignatureDefMap()
            response.metadata["signature_def"].Unpack(described)
            (self._input,) = described.signature_def["serving_default"].inputs
        return self._input

    def _ask(self, method: Callable[..., Any], request: Any, deadline: float) -> Any:
        import grpc

        may_help = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)

        def once() -> Any:
            remaining = max(deadline - time.monotonic(), 0.001)
            try:
                return method(request, timeout=remaining, metadata=self._metadata)
            except grpc.RpcError as error:
                refusal = ServerError(error.code().name, error.details())
                if error.code() in may_help:
                    raise _Again(refusal) from error
                raise refusal from error

        return _until(deadline, self._retries, once)


class _Again(Exception):
    """A refusal that may not be the last word, and when to come back."""

    def __init__(self, refusal: ServerError, seconds: float | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.seconds = seconds


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


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"error": body[:200].decode(errors="replace")}


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdigit() else None


def _is_array(example: Example) -> bool:
    return isinstance(example, np.ndarray)


def _as_json(example: Example) -> Any:
    if isinstance(example, bytes):
        return {"b64": base64.b64encode(example).decode()}
    return example.tolist() if isinstance(example, np.ndarray) else example
