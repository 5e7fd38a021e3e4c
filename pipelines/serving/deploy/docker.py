"""Docker Compose: TensorFlow Serving behind a proxy, on processors or on a GPU."""

from __future__ import annotations

from typing import Any

from pipelines.serving.deploy import config_files, model_server, nginx, rights
from pipelines.serving.deploy.as_yaml import as_yaml
from pipelines.serving.deploy.images import Images
from pipelines.serving.deploy.subject import Subject

# On the host; nothing but this machine reaches it until somebody changes that.
_PUBLISHED = "127.0.0.1:8501"
_SERVICE = "serving"
# The server reaches nobody and is reached by the proxy alone.
_INSIDE, _OUTSIDE = "inside", "outside"
_PROXY_MIB = 256


def files(subject: Subject, *, images: Images) -> dict[str, str]:
    """The files of the target, by their path."""
    base_path = model_server.base_path(subject.name)
    return {
        "docker/compose.yaml": as_yaml(
            _compose(subject, images),
            comment="docker compose up --detach --wait",
        ),
        "docker/compose.gpu.yaml": as_yaml(
            _on_gpu(images),
            comment="On top of the other file, on a machine with the NVIDIA Container"
            " Toolkit:\n"
            "docker compose -f compose.yaml -f compose.gpu.yaml up --detach --wait",
        ),
        f"docker/config/{config_files.MODELS}": config_files.models(
            subject, base_path=base_path
        ),
        f"docker/config/{config_files.BATCHING}": config_files.batching(),
        f"docker/config/{config_files.BATCHING_ON_GPU}": config_files.batching_on_gpu(),
        f"docker/config/{config_files.MONITORING}": config_files.monitoring(),
        "docker/proxy/nginx.conf": nginx.configuration(
            subject.name, upstream=f"{_SERVICE}:{model_server.REST_PORT}"
        ),
        f"docker/proxy/{nginx.TOKENS}": nginx.TOKENS_TEXT,
        f"docker/proxy/{nginx.PASSWORDS}": nginx.PASSWORDS_TEXT,
    }


def _compose(subject: Subject, images: Images) -> dict[str, Any]:
    # Compose replaces what stands behind a dollar.
    base = str(subject.base).replace("$", "$$")
    script = model_server.ready_script(subject.name).replace("$", "$$")
    return {
        "services": {
            _SERVICE: {
                "image": images.serving,
                # Process 1 ignores SIGTERM unless it asks for it, and the server
                # does not; under an init it is not process 1.
                "init": True,
                "entrypoint": [model_server.COMMAND],
                "command": model_server.arguments(),
                "volumes": [
                    _read_only(base, model_server.base_path(subject.name)),
                    _read_only("./config", model_server.CONFIG_DIR),
                ],
                "expose": [str(model_server.GRPC_PORT), str(model_server.REST_PORT)],
                "healthcheck": {
                    "test": ["CMD", "bash", "-c", script],
                    "interval": "5s",
                    "timeout": "5s",
                    "retries": 3,
                    "start_period": f"{model_server.LOAD_SECONDS}s",
                },
                "mem_limit": f"{subject.limit_mib}m",
                "networks": [_INSIDE],
                **rights.in_compose(),
                "restart": "unless-stopped",
            },
            "proxy": {
                "image": images.proxy,
                # The start script of the image changes its files, which it may not.
                "entrypoint": ["nginx"],
                "command": ["-g", "daemon off;"],
                "volumes": [
                    _read_only(f"./proxy/{name}", f"/etc/nginx/{name}")
                    for name in ("nginx.conf", nginx.TOKENS, nginx.PASSWORDS)
                ],
                "ports": [f"{_PUBLISHED}:{nginx.PORT}"],
                "depends_on": {_SERVICE: {"condition": "service_healthy"}},
                "mem_limit": f"{_PROXY_MIB}m",
                "networks": [_INSIDE, _OUTSIDE],
                **rights.in_compose(),
                "restart": "unless-stopped",
            },
        },
        "networks": {_INSIDE: {"internal": True}, _OUTSIDE: {}},
    }


def _on_gpu(images: Images) -> dict[str, Any]:
    return {
        "services": {
            _SERVICE: {
                "image": images.serving_on_gpu,
                "command": model_server.arguments(
                    batching_file=config_files.BATCHING_ON_GPU
                ),
                # Compiled kernels; the home of the user cannot be written.
                "environment": {"CUDA_CACHE_PATH": f"{rights.SCRATCH}/cuda"},
                "deploy": {
                    "resources": {
                        "reservations": {
                            "devices": [
                                {
                                    "driver": "nvidia",
                                    "count": 1,
                                    "capabilities": ["gpu"],
                                }
                            ]
                        }
                    }
                },
            }
        }
    }


def _read_only(source: str, target: str) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, "read_only": True}
