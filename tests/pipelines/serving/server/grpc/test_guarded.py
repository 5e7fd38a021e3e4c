"""A request names a model, and a version by its number, its label, or not at all."""

import pytest
from tensorflow_serving.apis import predict_pb2

from pipelines.serving.server.errors import ServingError
from pipelines.serving.server.grpc.guarded import target_of
from pipelines.serving.server.models.manager import Target


def test_target_of_a_request_is_what_it_names():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "line"
    assert target_of(request) == Target("line")
    request.model_spec.version.value = 3
    assert target_of(request) == Target("line", version=3)
    request.model_spec.version_label = "stable"  # the last of the choice holds
    assert target_of(request) == Target("line", label="stable")


def test_request_without_a_model_is_refused():
    request = predict_pb2.PredictRequest()
    with pytest.raises(ServingError, match="Missing ModelSpec"):
        target_of(request)
    request.model_spec.signature_name = "serving_default"
    with pytest.raises(ServingError, match="no name specified"):
        target_of(request)
