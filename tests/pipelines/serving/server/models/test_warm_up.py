"""The requests that a version brings run before the first client asks."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from pipelines.errors import ArtifactError
from pipelines.serving import artifact as artifacts
from pipelines.serving.server.models import warm_up
from pipelines.serving.server.models.signature import Signature, TensorInfo

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"


def test_records_of_an_artifact_are_published_messages(artifact):
    asked = []
    path = artifact / "1" / WARM_UP_FILE
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        ((name, proto),) = request.inputs.items()
        asked.append(
            (request.model_spec.signature_name, name, len(tf.make_ndarray(proto)))
        )
    assert sorted(asked) == sorted(
        (signature, name, rows)
        for rows in (1, 4)
        for signature, name in (
            ("serving_default", "image_bytes"),
            ("pixels", "pixels"),
            ("features", "image_bytes"),
            ("classify", "inputs"),
            ("explain", "image_bytes"),
        )
    )


def test_manifest_lists_warm_up_file(artifact):
    manifest = artifacts.read_manifest(artifact / "1")
    assert WARM_UP_FILE in manifest.files
    assert manifest.signatures["classify"]["inputs"]["inputs"]["dtype"] == "string"


def _written(path, *records) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def _record(signature="", **inputs) -> bytes:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return log.SerializeToString()


SIGNATURES = {
    "serving_default": Signature(
        "serving_default", "", {"x": TensorInfo(tf.float32, (None,))}, {}
    )
}


def test_every_record_is_run(tmp_path):
    _written(tmp_path / "requests", _record(x=[1.0]), _record(x=[2.0, 3.0]))
    calls = []
    run = warm_up.run(
        SIGNATURES, lambda *call: calls.append(call), tmp_path / "requests"
    )
    assert run == 2
    assert [name for name, _ in calls] == ["serving_default"] * 2
    np.testing.assert_array_equal(calls[1][1]["x"], [2.0, 3.0])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (_record("other", x=[1.0]), "Record 1 of .* asks for 'other'"),
        (_record(y=[1.0]), "record 1 of .* cannot be run: input size"),
        (b"\xff", "record 1 of .* cannot be run"),
        (b"", "known are predict_log"),
    ],
)
def test_record_that_cannot_run_is_named(tmp_path, record, message):
    _written(tmp_path / "requests", record)
    with pytest.raises(ArtifactError, match=message):
        warm_up.run(SIGNATURES, lambda *_: None, tmp_path / "requests")
