"""The command line of TensorFlow Serving, its ports and its probes."""

from __future__ import annotations

from pipelines.serving.deploy import config_files

GRPC_PORT = 8500
REST_PORT = 8501
# The start script of the image does not pass signals on; the server itself gets them.
COMMAND = "/usr/bin/tensorflow_model_server"
MODELS_DIR = "/models"
CONFIG_DIR = "/config"
TIMEOUT_SECONDS = 30
# A load takes seconds to minutes: a large graph, and the warm-up requests.
LOAD_SECONDS = 300
# Longer than a request may take, and than balancers need to hear of the end.
GRACE_SECONDS = 45
DRAIN_SECONDS = 15


def base_path(name: str) -> str:
    """The folder of versions inside of a container."""
    return f"{MODELS_DIR}/{name}"


def arguments(*, batching_file: str = config_files.BATCHING) -> list[str]:
    """The flags of the server, with its files in `CONFIG_DIR`."""
    return [
        f"--port={GRPC_PORT}",
        f"--rest_api_port={REST_PORT}",
        f"--rest_api_timeout_in_ms={TIMEOUT_SECONDS * 1000}",
        f"--model_config_file={CONFIG_DIR}/{config_files.MODELS}",
        *batching_arguments(batching_file),
        f"--monitoring_config_file={CONFIG_DIR}/{config_files.MONITORING}",
    ]


def batching_arguments(batching_file: str = config_files.BATCHING) -> list[str]:
    """The flags for batches; the file without the switch would end the server."""
    return [
        "--enable_batching",
        f"--batching_parameters_file={CONFIG_DIR}/{batching_file}",
    ]


def ready_path(name: str) -> str:
    """The path of a page that answers 200 once a version serves.

    The page of the status would answer 200 for a version that failed, too.
    """
    return f"/v1/models/{name}/metadata"


def ready_script(name: str) -> str:
    """The same in bash, because the image has no program that speaks HTTP."""
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{REST_PORT}"
        f" && printf 'GET {ready_path(name)} HTTP/1.0\\r\\n\\r\\n' >&3"
        ' && read -r _ status _ <&3 && [ "$status" = 200 ]'
    )
