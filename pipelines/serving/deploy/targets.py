"""The targets that files can be written for."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.serving.deploy import docker, kserve, kubernetes

# Each gives texts by their path, for a subject and the images that run it.
TARGETS: dict[str, Callable[..., dict[str, str]]] = {
    "docker": docker.files,
    "kubernetes": kubernetes.files,
    "kserve": kserve.files,
}
