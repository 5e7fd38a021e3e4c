"""The objects for KServe serve the same name from the same claim."""

from pathlib import Path

from pipelines.serving.deploy import images
from pipelines.serving.server import text_files
from tests.pipelines.serving.deploy.conftest import NAME, flags_of


def test_kserve_uses_same_name_and_claim(documents):
    service = documents["kserve/inference-service.yaml"]
    assert service["apiVersion"] == "serving.kserve.io/v1beta1"
    assert service["metadata"]["name"] == NAME
    predictor = service["spec"]["predictor"]
    model = predictor["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["runtimeVersion"] == images.SERVING_VERSION
    policy = documents["kserve/network-policy.yaml"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {
        "serving.kserve.io/inferenceservice": NAME
    }
    claim = documents["kserve/volume-claim.yaml"]
    assert claim == documents["kubernetes/volume-claim.yaml"]
    assert model["storageUri"] == f"pvc://{claim['metadata']['name']}/{NAME}"
    config = documents["kserve/config-map.yaml"]
    assert predictor["volumes"][0]["configMap"]["name"] == config["metadata"]["name"]
    path = Path(flags_of(model["args"])["batching_parameters_file"])
    assert model["volumeMounts"][0]["mountPath"] == str(path.parent)
    assert text_files.parse_batching(config["data"][path.name]).max_batch_size == 32
