"""The requests that an artifact brings, so that no client of a server is the first."""

from pathlib import Path

import pytest

from pipelines.serving import artifact as artifacts
from pipelines.serving.signatures import EXPLAIN

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture
def artifact(finished_run) -> Path:
    return finished_run / "artifact"


def test_records_are_published_messages(artifact):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    path = artifact / "1" / WARM_UP_FILE
    asked = []
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
        )
    )


def test_manifest_lists_warm_up_file(artifact):
    manifest = artifacts.read_manifest(artifact / "1")
    assert WARM_UP_FILE in manifest.files
    assert manifest.signatures["classify"]["inputs"]["inputs"]["dtype"] == "string"
    # serving_default and pixels: 7 outputs, features: 1, classify: 2; 4 batch sizes.
    assert EXPLAIN not in manifest.signatures
    assert manifest.parity["outputs_compared"] == (7 + 7 + 1 + 2) * 4
