"""Kubernetes: servers that start, grow in number and end without losing a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pipelines.serving.deploy import config_files, model_server, rights
from pipelines.serving.deploy.as_yaml import as_yaml
from pipelines.serving.deploy.images import Images
from pipelines.serving.deploy.subject import CPUS, Subject, require_label

_LEAST_REPLICAS = 2
_MOST_REPLICAS = 10
_BUSY_PERCENT = 70


def files(subject: Subject, *, images: Images) -> dict[str, str]:
    """The files of the target, by their path.

    Raises:
        ConfigError: if Kubernetes does not take the name.
    """
    require_label(subject.name, "kubernetes")
    objects = {
        "config-map": config_map(subject),
        "volume-claim": volume_claim(subject),
        "deployment": _deployment(subject, images),
        "service": _service(subject),
        "autoscaler": _autoscaler(subject),
        "disruption-budget": _disruption_budget(subject),
        "network-policy": network_policy(
            subject,
            pods=_labels(subject),
            sources=[{"podSelector": {}}],
            ports=(model_server.GRPC_PORT, model_server.REST_PORT),
        ),
    }
    return {
        f"kubernetes/{name}.yaml": as_yaml(
            values, comment="kubectl apply -f kubernetes/"
        )
        for name, values in objects.items()
    }


def config_map(subject: Subject) -> dict[str, Any]:
    """The text files of the server."""
    base_path = model_server.base_path(subject.name)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(subject, suffix="config"),
        "data": {
            config_files.MODELS: config_files.models(subject, base_path=base_path),
            config_files.BATCHING: config_files.batching(),
            config_files.MONITORING: config_files.monitoring(),
        },
    }


def volume_claim(subject: Subject) -> dict[str, Any]:
    """The volume of versions; servers on several machines read it at once."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(subject, suffix="models"),
        "spec": {
            "accessModes": ["ReadWriteMany"],
            # Ten versions, and never less than most classes of storage give.
            "resources": {
                "requests": {
                    "storage": f"{max(1, -(-10 * subject.model_bytes // 2**30))}Gi"
                }
            },
        },
    }


def _deployment(subject: Subject, images: Images) -> dict[str, Any]:
    labels = _labels(subject)
    content = json.dumps(config_map(subject)["data"], sort_keys=True)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(subject),
        # No `replicas`: that number is the autoscaler's.
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {
                        # A changed config makes new pods; the server reads it once.
                        "checksum/config": hashlib.sha256(content.encode()).hexdigest(),
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": str(model_server.REST_PORT),
                        "prometheus.io/path": config_files.METRICS_PATH,
                    },
                },
                "spec": {
                    # Process 1 ignores SIGTERM unless it asks for it, and the server
                    # does not; so it is not process 1.
                    "shareProcessNamespace": True,
                    "terminationGracePeriodSeconds": model_server.GRACE_SECONDS,
                    **rights.of_pod(),
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": labels},
                        }
                    ],
                    "containers": [_container(subject, images)],
                    "volumes": [
                        {
                            "name": "models",
                            "persistentVolumeClaim": {
                                "claimName": f"{subject.name}-models",
                                "readOnly": True,
                            },
                        },
                        {
                            "name": "config",
                            "configMap": {"name": f"{subject.name}-config"},
                        },
                        rights.scratch_volume(),
                    ],
                },
            },
        },
    }


def _container(subject: Subject, images: Images) -> dict[str, Any]:
    is_ready = {
        "httpGet": {"path": model_server.ready_path(subject.name), "port": "rest"}
    }
    return {
        "name": "serving",
        "image": images.serving,
        "command": [model_server.COMMAND],
        "args": model_server.arguments(),
        "ports": [
            {"name": "grpc", "containerPort": model_server.GRPC_PORT},
            {"name": "rest", "containerPort": model_server.REST_PORT},
        ],
        "startupProbe": {
            **is_ready,
            "periodSeconds": 2,
            "timeoutSeconds": 5,
            "failureThreshold": model_server.LOAD_SECONDS // 2,
        },
        "readinessProbe": {**is_ready, "periodSeconds": 5, "timeoutSeconds": 5},
        # Busy is not dead: only a process that takes no connection is started again.
        "livenessProbe": {
            "tcpSocket": {"port": "grpc"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        # Until balancers have heard of the end; SIGTERM ends the server at once.
        "lifecycle": {
            "preStop": {"exec": {"command": ["sleep", str(model_server.DRAIN_SECONDS)]}}
        },
        "resources": resources(subject),
        "securityContext": rights.of_container(),
        "volumeMounts": [
            {
                "name": "models",
                "mountPath": model_server.base_path(subject.name),
                "subPath": subject.name,
                "readOnly": True,
            },
            {
                "name": "config",
                "mountPath": model_server.CONFIG_DIR,
                "readOnly": True,
            },
            rights.scratch_mount(),
        ],
    }


def resources(subject: Subject) -> dict[str, Any]:
    """No limit of processors: a server that is throttled is late for everybody."""
    return {
        "requests": {
            "cpu": str(CPUS),
            "memory": f"{subject.memory_mib}Mi",
        },
        "limits": {"memory": f"{subject.limit_mib}Mi"},
    }


def _service(subject: Subject) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(subject),
        "spec": {
            "type": "ClusterIP",
            "selector": _labels(subject),
            "ports": [
                {"name": "grpc", "port": model_server.GRPC_PORT, "targetPort": "grpc"},
                {"name": "rest", "port": model_server.REST_PORT, "targetPort": "rest"},
            ],
        },
    }


def _autoscaler(subject: Subject) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(subject),
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": subject.name,
            },
            "minReplicas": _LEAST_REPLICAS,
            "maxReplicas": _MOST_REPLICAS,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "averageUtilization": _BUSY_PERCENT,
                        },
                    },
                }
            ],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def _disruption_budget(subject: Subject) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(subject),
        "spec": {
            "minAvailable": 1,
            "selector": {"matchLabels": _labels(subject)},
        },
    }


def network_policy(
    subject: Subject,
    *,
    pods: dict[str, str],
    sources: list[dict[str, Any]],
    ports: Sequence[int] = (),
) -> dict[str, Any]:
    """The pods that may ask the server; the server may ask nobody."""
    asked = {"ports": [{"protocol": "TCP", "port": port} for port in ports]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(subject, suffix="only-inside"),
        "spec": {
            "podSelector": {"matchLabels": pods},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": sources, **(asked if ports else {})}],
            "egress": [],
        },
    }


def _labels(subject: Subject) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "tensorflow-serving",
        "app.kubernetes.io/instance": subject.name,
    }


def _metadata(subject: Subject, *, suffix: str = "") -> dict[str, Any]:
    name = f"{subject.name}-{suffix}" if suffix else subject.name
    return {"name": name, "labels": _labels(subject)}
