"""Calls that name no model, or ask for what is not there, are refused by name."""

import grpc
import pytest
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    inference_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)


@pytest.fixture(scope="module")
def channel(impatient):
    with grpc.insecure_channel(impatient.grpc_address) as opened:
        yield opened


@pytest.fixture(scope="module")
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def multi_inference(*signatures, method="tensorflow/serving/classify"):
    request = inference_pb2.MultiInferenceRequest()
    for name in signatures:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = "slow"
        task.model_spec.signature_name = name
    return request


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (multi_inference(), "INVALID_ARGUMENT", "at least one task|Missing ModelSpec"),
        (multi_inference("a", "a"), "INVALID_ARGUMENT", "Duplicate evaluation"),
        (multi_inference("a", method="guess"), "UNIMPLEMENTED", "method_name: guess"),
    ],
)
def test_inconsistent_tasks_are_refused(predictions, request_, code, message):
    with pytest.raises(grpc.RpcError, match=message) as error:
        predictions.MultiInference(request_, timeout=20)
    assert error.value.code().name == code


def test_unknown_metadata_field_is_refused(predictions):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "slow"
    with pytest.raises(grpc.RpcError, match="at least one metadata_field"):
        predictions.GetModelMetadata(request, timeout=20)
    request.metadata_field.append("weights")
    with pytest.raises(grpc.RpcError, match="weights is not supported"):
        predictions.GetModelMetadata(request, timeout=20)
    request.metadata_field[0] = "class_names"  # which only our artifacts have
    with pytest.raises(grpc.RpcError, match="class_names is not supported"):
        predictions.GetModelMetadata(request, timeout=20)


def test_unknown_signature_is_a_failed_precondition(predictions):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "slow"
    request.model_spec.signature_name = "other"
    with pytest.raises(grpc.RpcError, match='key "other" not found') as error:
        predictions.Predict(request, timeout=20)
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
