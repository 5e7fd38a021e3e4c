"""The client over gRPC. Its messages, `tensorflow-serving-api`, import TensorFlow."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.serving import naming
from pipelines.serving.client.versions import (
    NOT_FOUND,
    ModelClient,
    ModelVersion,
    Retryable,
    ServerError,
    VersionGone,
    VersionId,
    input_spec_of,
    numbered,
    retried,
    table_spec_of,
    warn_of_plain_token,
)
from pipelines.serving.examples.inputs import TABLE, InputSpec
from pipelines.serving.examples.rows import stacked


class GrpcClient(ModelClient):
    """Predictions of one model over gRPC; `address` is a host and a port."""

    def _connect(self, address: str, ca_file: Path | None) -> None:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        token = self._token
        self._metadata = [("authorization", f"Bearer {token}")] if token else None
        if ca_file is None:
            channel = grpc.insecure_channel(address)
            if token:
                host = address.rpartition(":")[0].strip("[]")
                warn_of_plain_token(host, "ca_file")
        else:
            credentials = grpc.ssl_channel_credentials(ca_file.read_bytes())
            channel = grpc.secure_channel(address, credentials)
        self._channel = channel
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _describe(self, version: int | None, deadline: float) -> ModelVersion:
        from tensorflow_serving.apis import get_model_metadata_pb2

        asked = get_model_metadata_pb2.GetModelMetadataRequest()
        asked.metadata_field.append("signature_def")
        method = self._stub.GetModelMetadata
        response, _ = self._ask(method, asked, deadline, version=version)
        number = response.model_spec.version.value
        described = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(described)
        signatures = described.signature_def
        outputs = signatures[naming.DEFAULT].outputs
        if "values" in outputs:
            columns = outputs["values"].tensor_shape.dim[-1].size
            names = self._names_of_targets(columns, number, deadline)
        elif "anomaly_score" in outputs:
            names = naming.ANOMALY_KINDS
        else:
            names = self._names_of_classes(number, deadline)
        return ModelVersion(number, _takes_of_protos(signatures), names)

    def _names_of_classes(self, version: int, deadline: float) -> tuple[str, ...]:
        """The classes as `classify` names them: all, also for an empty example."""
        from tensorflow_serving.apis import classification_pb2

        request = classification_pb2.ClassificationRequest()
        request.model_spec.signature_name = naming.CLASSIFY
        request.input.example_list.examples.add()
        answer, _ = self._ask(self._stub.Classify, request, deadline, version=version)
        (classification,) = answer.result.classifications
        return tuple(scored.label for scored in classification.classes)

    def _names_of_targets(
        self, columns: int, version: int, deadline: float
    ) -> tuple[str, ...]:
        """The targets as the metadata name them; numbered by TensorFlow Serving."""
        from google.protobuf import struct_pb2
        from tensorflow_serving.apis import get_model_metadata_pb2

        asked = get_model_metadata_pb2.GetModelMetadataRequest()
        asked.metadata_field.append(naming.CLASS_NAMES)
        try:
            response, _ = self._ask(
                self._stub.GetModelMetadata, asked, deadline, version=version
            )
        except ServerError as refusal:
            if refusal.code != "INVALID_ARGUMENT":
                raise
            return numbered(columns)
        names = struct_pb2.ListValue()
        response.metadata[naming.CLASS_NAMES].Unpack(names)
        return tuple(str(name) for name in names)

    def _answers(
        self, model: ModelVersion, examples: list[Any], deadline: float
    ) -> tuple[Sequence[Mapping[str, Any]], VersionId]:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        for name, array in _as_columns(model.takes, examples).items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        response, metadata = self._ask(self._stub.Predict, request, deadline)
        outputs = {
            key: tf.make_ndarray(proto) for key, proto in response.outputs.items()
        }
        rows = [
            {key: value[i] for key, value in outputs.items()}
            for i in range(len(examples))
        ]
        whose = VersionId(
            response.model_spec.version.value, metadata.get(naming.CLASSES_HEADER)
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
                    raise Retryable(refusal) from error
                raise refusal from error
            return answer, dict(call.trailing_metadata() or ())

        try:
            return retried(deadline, self._retries, once)
        except ServerError as refusal:
            if refusal.code in NOT_FOUND and version is not None:
                raise VersionGone from refusal
            raise


def _as_columns(takes: InputSpec, examples: list[Any]) -> Mapping[str, Any]:
    """Examples by the names of inputs: one, or a column of a table each."""
    if takes.columns:
        return stacked(examples, takes.columns)
    is_array = isinstance(examples[0], np.ndarray)
    return {takes.name: np.stack(examples) if is_array else examples}


def _takes_of_protos(signatures: Mapping[str, Any]) -> InputSpec:
    from tensorflow.core.framework import types_pb2

    inputs, name_of = signatures[naming.DEFAULT].inputs, types_pb2.DataType.Name
    if TABLE in signatures:
        return table_spec_of({key: name_of(spec.dtype) for key, spec in inputs.items()})
    ((name, tensor),) = inputs.items()
    dtype = name_of(tensor.dtype)
    return input_spec_of(name, dtype, [dim.size for dim in tensor.tensor_shape.dim])
