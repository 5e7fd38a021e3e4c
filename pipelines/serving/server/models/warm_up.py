"""Requests that a version brings with it, run before the first client asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from pipelines.errors import ArtifactError
from pipelines.serving.naming import DEFAULT
from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.models import examples, tensors
from pipelines.serving.server.models.signature import Arrays, Signature, check_inputs

MAXIMUM_RECORDS = 1000
_MAXIMUM_BYTES = 256 * 2**20

Run = Callable[[str, Arrays], Arrays]


def run(signatures: dict[str, Signature], call: Run, path: Path) -> int:
    """Runs every record of a warm-up file with `call`, and gives their number.

    Raises:
        ArtifactError: if there are too many, or one cannot be read or fails: then a
            client's request would fail too.
    """
    count = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > MAXIMUM_RECORDS:
                raise ArtifactError(
                    f"{path} has more than {MAXIMUM_RECORDS} records; keep a few."
                )
            name, inputs = _request(prediction_log_pb2.PredictionLog.FromString(record))
            if name not in signatures:
                raise ArtifactError(f"Record {count} of {path} asks for {name!r}.")
            check_inputs(signatures[name], inputs)
            call(name, inputs)
    except (DecodeError, ServingError, tf.errors.OpError) as error:
        raise ArtifactError(
            f"Warm-up record {count} of {path} cannot be run: {error}"
        ) from error
    return count


def _request(log: Any) -> tuple[str, Arrays]:
    """The signature and the inputs of a record."""
    match log.WhichOneof("log_type"):
        case "predict_log":
            request = log.predict_log.request
            inputs = {
                name: tensors.read(name, proto, max_bytes=_MAXIMUM_BYTES)
                for name, proto in request.inputs.items()
            }
        case "classify_log" | "regress_log" as kind:
            request = getattr(log, kind).request
            inputs = examples.inputs(examples.serialized(request.input))
        case other:
            raise ArtifactError(
                f"A warm-up record is a {other}; known are predict_log, classify_log"
                " and regress_log."
            )
    return request.model_spec.signature_name or DEFAULT, inputs
