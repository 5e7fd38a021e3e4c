"""The gRPC interface, case by case as TensorFlow Serving answers."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

pytestmark = pytest.mark.serving

NAME = "half_plus_two"
Code = grpc.StatusCode


@pytest.fixture(scope="session")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="session")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def spec(message, *, name=NAME, version=None, label=None, signature=""):
    message.name = name
    message.signature_name = signature
    if version is not None:
        message.version.value = version
    if label is not None:
        message.version_label = label


def prediction(values=(2.0,), *, key="x", dtype=np.float32, wanted=(), **which):
    request = predict_pb2.PredictRequest(output_filter=wanted)
    spec(request.model_spec, **which)
    array = np.array(values, dtype)
    request.inputs[key].CopyFrom(tf.make_tensor_proto(array))
    return request


def refused(call, request):
    with pytest.raises(grpc.RpcError) as error:
        call(request, timeout=30)
    return error.value.code(), error.value.details()


@pytest.mark.parametrize(
    ("which", "version"),
    [
        ({}, 124),
        ({"version": 123}, 123),
        ({"version": 124}, 124),
        ({"label": "stable"}, 123),
        ({"label": "canary"}, 124),
        ({"signature": "serving_default"}, 124),
    ],
)
def test_predict_says_which_version_answered(stub, which, version):
    response = stub.Predict(prediction([2.0, 4.0], **which), timeout=30)
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [3.0, 4.0]
    assert response.model_spec.name == NAME
    assert response.model_spec.version.value == version
    assert response.model_spec.signature_name == "serving_default"


def test_an_output_filter_picks(stub):
    response = stub.Predict(prediction(wanted=["y"]), timeout=30)
    assert list(response.outputs) == ["y"]


@pytest.mark.parametrize("wanted", [["z"], ["y", "y"], ["y", "z"]])
def test_an_output_filter_names_outputs_once(stub, wanted):
    code, _ = refused(stub.Predict, prediction(wanted=wanted))
    assert code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (predict_pb2.PredictRequest(), Code.INVALID_ARGUMENT, "Missing ModelSpec"),
        (prediction(name=""), Code.INVALID_ARGUMENT, ""),
        (prediction(name="none"), Code.NOT_FOUND, "Servable not found for request"),
        (prediction(version=9), Code.NOT_FOUND, "Specific(half_plus_two, 9)"),
        (
            prediction(label="gone"),
            Code.INVALID_ARGUMENT,
            "Unrecognized servable version label: gone",
        ),
        (
            prediction(signature="gone"),
            Code.FAILED_PRECONDITION,
            'Serving signature key "gone" not found',
        ),
        (prediction(key="z"), Code.INVALID_ARGUMENT, "Missing but required: {x}"),
        (prediction(dtype=np.int32), Code.INVALID_ARGUMENT, ""),
        (prediction([[1.0, 2.0]]), Code.INVALID_ARGUMENT, ""),
        (prediction(["a"], dtype=object), Code.INVALID_ARGUMENT, ""),
    ],
)
def test_predict_refuses(stub, request_, code, message):
    found, details = refused(stub.Predict, request_)
    assert found == code
    assert message in details


def test_inputs_that_are_missing_or_extra_are_named(stub):
    request = prediction()
    request.inputs["more"].CopyFrom(tf.make_tensor_proto([1.0]))
    code, details = refused(stub.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert "Sent extra: {more}" in details
    del request.inputs["more"], request.inputs["x"]
    code, details = refused(stub.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert "input size does not match signature: 0!=1" in details


def test_strings_and_several_outputs(stub):
    request = prediction([b"\xff", b"a"], key="text", dtype=object, name="kinds")
    request.model_spec.signature_name = "text"
    response = stub.Predict(request, timeout=30)
    assert list(response.outputs["joined"].string_val) == [b"\xff!", b"a!"]
    request = prediction([1.0], key="a", name="kinds", signature="two")
    request.inputs["b"].CopyFrom(tf.make_tensor_proto([[1.0, 2.0]]))
    response = stub.Predict(request, timeout=30)
    assert set(response.outputs) == {"sum", "twice"}


def test_half_precision_goes_over_grpc(stub):
    request = prediction([1.5], dtype=np.float16, name="kinds", signature="half")
    response = stub.Predict(request, timeout=30)
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [1.5]


def test_an_error_of_the_model_keeps_its_code(stub):
    request = prediction([-1.0], name="kinds", signature="positive")
    code, details = refused(stub.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert "must be positive" in details


def examples(message, *values, name="x", context=None):
    if context is None:
        listed = message.example_list
    else:
        listed = message.example_list_with_context
        feature = listed.context.features.feature[name]
        feature.float_list.value.append(context)
    for value in values:
        example = listed.examples.add()
        if value is not None:
            example.features.feature[name].float_list.value.append(value)


def classification(*values, signature="classify_x_to_y", **options):
    request = classification_pb2.ClassificationRequest()
    spec(request.model_spec, signature=signature)
    examples(request.input, *values, **options)
    return request


def regression(*values, signature="regress_x_to_y", name="x", **options):
    request = regression_pb2.RegressionRequest()
    spec(request.model_spec, signature=signature)
    examples(request.input, *values, name=name, **options)
    return request


def test_classify(stub):
    response = stub.Classify(classification(2.0, 20.0), timeout=30)
    scores = [one.classes[0].score for one in response.result.classifications]
    assert scores == [3.0, 12.0]
    assert response.model_spec.version.value == 124
    assert response.model_spec.signature_name == "classify_x_to_y"


@pytest.mark.parametrize(
    ("signature", "wanted"),
    [
        ("classify_names", [("low", 0.0), ("high", 0.0)]),
        ("classify_both", [("low", 2.0), ("high", 3.0)]),
    ],
)
def test_classes_and_scores(stub, signature, wanted):
    response = stub.Classify(classification(2.0, signature=signature), timeout=30)
    (one,) = response.result.classifications
    assert [(found.label, found.score) for found in one.classes] == wanted


def test_regress(stub):
    response = stub.Regress(regression(80.0, 2.0), timeout=30)
    assert [one.value for one in response.result.regressions] == [42.0, 3.0]
    other = regression(2.0, signature="regress_x2_to_y3", name="x2")
    response = stub.Regress(other, timeout=30)
    assert [one.value for one in response.result.regressions] == [4.0]


def test_a_context_is_behind_every_example(stub):
    response = stub.Regress(regression(None, 4.0, context=2.0), timeout=30)
    assert [one.value for one in response.result.regressions] == [3.0, 4.0]


@pytest.mark.parametrize("method", ["Classify", "Regress"])
def test_no_examples_are_refused(stub, method):
    request = classification() if method == "Classify" else regression()
    code, details = refused(getattr(stub, method), request)
    assert code == Code.INVALID_ARGUMENT
    assert "Input is empty" in details


@pytest.mark.parametrize(
    "request_",
    [
        classification(2.0, signature=""),
        classification(2.0, signature="gone"),
        classification(2.0, signature="regress_x_to_y"),
    ],
)
def test_a_signature_that_cannot_classify(stub, request_):
    code, _ = refused(stub.Classify, request_)
    assert code in (Code.FAILED_PRECONDITION, Code.INVALID_ARGUMENT)


def multi(*tasks, values=(2.0,)):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method, name in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        spec(task.model_spec, name=name, signature=signature)
    examples(request.input, *values)
    return request


def test_multi_inference(stub):
    request = multi(
        ("regress_x_to_y", "regress", NAME), ("classify_x_to_y", "classify", NAME)
    )
    response = stub.MultiInference(request, timeout=30)
    regressed, classified = response.results
    assert regressed.regression_result.regressions[0].value == 3.0
    found = classified.classification_result.classifications[0].classes[0]
    assert found.score == 3.0
    assert regressed.model_spec.version.value == 124


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (multi(), Code.INVALID_ARGUMENT),
        (multi(("regress_x_to_y", "regress", NAME), values=()), Code.INVALID_ARGUMENT),
        (multi(("regress_x_to_y", "guess", NAME)), Code.UNIMPLEMENTED),
        (
            multi(
                ("regress_x_to_y", "regress", NAME),
                ("regress_x_to_y", "regress", NAME),
            ),
            Code.INVALID_ARGUMENT,
        ),
        (
            multi(
                ("regress_x_to_y", "regress", NAME),
                ("classify_x_to_y", "classify", "half_plus_three"),
            ),
            Code.INVALID_ARGUMENT,
        ),
        (multi(("regress_x_to_y", "regress", "none")), Code.NOT_FOUND),
    ],
)
def test_multi_inference_refuses(stub, request_, code):
    found, _ = refused(stub.MultiInference, request_)
    assert found == code


def metadata(*fields, name=NAME, **which):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    spec(request.model_spec, name=name, **which)
    return request


def test_metadata(stub):
    response = stub.GetModelMetadata(metadata("signature_def", version=123), timeout=30)
    assert response.model_spec.name == NAME
    assert response.model_spec.version.value == 123
    described = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(described)
    assert "x" in described.signature_def["serving_default"].inputs


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (metadata(), Code.INVALID_ARGUMENT),
        (metadata("weights"), Code.INVALID_ARGUMENT),
        (metadata("signature_def", name="none"), Code.NOT_FOUND),
        (get_model_metadata_pb2.GetModelMetadataRequest(), Code.INVALID_ARGUMENT),
    ],
)
def test_metadata_refuses(stub, request_, code):
    found, _ = refused(stub.GetModelMetadata, request_)
    assert found == code


def status(*, name=NAME, **which):
    request = get_model_status_pb2.GetModelStatusRequest()
    spec(request.model_spec, name=name, **which)
    return request


def test_the_status_of_versions(models):
    response = models.GetModelStatus(status(), timeout=30)
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    found = {one.version: one.state for one in response.model_version_status}
    assert found == {123: available, 124: available}
    assert {one.status.error_code for one in response.model_version_status} == {0}
    response = models.GetModelStatus(status(version=123), timeout=30)
    assert [one.version for one in response.model_version_status] == [123]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (get_model_status_pb2.GetModelStatusRequest(), Code.INVALID_ARGUMENT),
        (status(name="none"), Code.NOT_FOUND),
        (status(version=9), Code.NOT_FOUND),
    ],
)
def test_the_status_of_what_is_not_there(models, request_, code):
    found, _ = refused(models.GetModelStatus, request_)
    assert found == code


def test_network_configuration_is_refused_unless_allowed(models, endpoint):
    if not endpoint.is_ours:
        pytest.skip("TensorFlow Serving takes it")
    request = model_management_pb2.ReloadConfigRequest()
    added = request.config.model_config_list.config.add(name="x", base_path="/")
    assert added.base_path == "/"
    code, details = refused(models.HandleReloadConfigRequest, request)
    assert code == Code.PERMISSION_DENIED
    assert "--reload-root" in details


def test_both_interfaces_give_the_same(stub, endpoint):
    values = np.linspace(-3, 3, 7).astype(np.float32)
    over_grpc = tf.make_ndarray(
        stub.Predict(prediction(values), timeout=30).outputs["y"]
    )
    request = {"instances": [float(one) for one in values]}
    over_rest = endpoint.post(f"/v1/models/{NAME}:predict", request).json
    np.testing.assert_allclose(over_rest["predictions"], over_grpc, rtol=1e-6)
