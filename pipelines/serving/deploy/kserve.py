"""KServe: one InferenceService, whose runtime for TensorFlow is TensorFlow Serving."""

from __future__ import annotations

from typing import Any

from pipelines.serving.deploy import config_files, model_server, rights
from pipelines.serving.deploy.as_yaml import as_yaml
from pipelines.serving.deploy.images import Images
from pipelines.serving.deploy.kubernetes import (
    config_map,
    network_policy,
    resources,
    volume_claim,
)
from pipelines.serving.deploy.subject import Subject, require_label

# Through which requests come, where KServe is installed with them.
_GATEWAYS = ("istio-system", "knative-serving", "kourier-system", "kserve")


def files(subject: Subject, *, images: Images) -> dict[str, str]:
    """The files of the target, by their path.

    Raises:
        ConfigError: if Kubernetes does not take the name.
    """
    require_label(subject.name, "kserve")
    objects = {
        # The runtime has its own way to say which model; only batches are ours.
        "config-map": {
            **config_map(subject),
            "data": {config_files.BATCHING: config_files.batching()},
        },
        "volume-claim": volume_claim(subject),
        "inference-service": _inference_service(subject, images),
        "network-policy": network_policy(
            subject,
            pods={"serving.kserve.io/inferenceservice": subject.name},
            sources=[{"podSelector": {}}, _gateways()],
        ),
    }
    return {
        f"kserve/{name}.yaml": as_yaml(values, comment="kubectl apply -f kserve/")
        for name, values in objects.items()
    }


def _inference_service(subject: Subject, images: Images) -> dict[str, Any]:
    """The name of the service is the name of the model in its addresses."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": subject.name},
        "spec": {
            "predictor": {
                **rights.of_pod(),
                "minReplicas": 1,
                "maxReplicas": 10,
                "timeout": model_server.TIMEOUT_SECONDS,
                "model": {
                    "modelFormat": {"name": "tensorflow"},
                    "protocolVersion": "v1",
                    # The tag of the image, not the name of it.
                    "runtimeVersion": images.serving_version,
                    # A folder of versions: the runtime serves the newest one in it.
                    "storageUri": f"pvc://{subject.name}-models/{subject.name}",
                    # Behind those of the runtime, which has the ports and the paths.
                    "args": model_server.batching_arguments(),
                    "resources": resources(subject),
                    "securityContext": rights.of_container(),
                    "volumeMounts": [
                        {
                            "name": "config",
                            "mountPath": model_server.CONFIG_DIR,
                            "readOnly": True,
                        },
                        rights.scratch_mount(),
                    ],
                },
                "volumes": [
                    {
                        "name": "config",
                        "configMap": {"name": f"{subject.name}-config"},
                    },
                    rights.scratch_volume(),
                ],
            }
        },
    }


def _gateways() -> dict[str, Any]:
    name = {"key": "kubernetes.io/metadata.name", "operator": "In"}
    return {
        "namespaceSelector": {"matchExpressions": [{**name, "values": [*_GATEWAYS]}]}
    }
