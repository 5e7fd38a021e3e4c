"""The states of versions, as a client sees them; reloading is in `test_app`."""

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc


def test_status_has_every_version(impatient):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "slow"
    with grpc.insecure_channel(impatient.grpc_address) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        (row,) = stub.GetModelStatus(request, timeout=20).model_version_status
    assert (row.version, row.state, row.status.error_code) == (1, 30, 0)
