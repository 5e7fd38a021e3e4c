"""`zoo serve`: a server over REST and gRPC. Imports nothing heavy before it starts."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import math
from pathlib import Path

from pipelines.errors import ArtifactError, ConfigError
from pipelines.runtime.startup import start_tensorflow
from pipelines.serving.artifact import model_name, versions
from pipelines.serving.server.log_filter import thinned_stderr
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.settings import (
    MEBIBYTE,
    Access,
    Batching,
    Limits,
    Loading,
    Settings,
)

SUMMARY = "serve an artifact as TensorFlow Serving does, over REST and gRPC"
_EXTRA = "pip install 'zootune[serve]' && pip install --no-deps tensorflow-serving-api"
_DEFAULTS = Settings()
_LARGEST_PORT = 65535
_POSITIVE = (
    "timeout_seconds",
    "header_seconds",
    "max_body_mb",
    "max_in_flight",
    "max_in_flight_mb",
    "max_connections",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of the command."""
    add = parser.add_argument
    add("base", type=Path, nargs="?", metavar="BASE", help="a folder of versions")
    add("--name", help="of the model; default: the name of the run or folder")
    add(
        "--model-config", type=Path, metavar="FILE", help="a models.config, for several"
    )
    add("--host", default=_DEFAULTS.host, help="0.0.0.0: also for other machines")
    add("--rest-port", type=int, default=_DEFAULTS.rest_port, help="0: any free one")
    add("--grpc-port", type=int, default=_DEFAULTS.grpc_port, help="0: any free one")
    _add_loading(parser)
    _add_limits(parser)
    add(
        "--batching-parameters",
        type=Path,
        metavar="FILE",
        help="as in --enable_batching",
    )
    add("--no-batching", action="store_true", help="each request is a call of its own")
    add(
        "--monitoring-config",
        type=Path,
        metavar="FILE",
        help="with the path of the metrics",
    )
    add("--token-file", type=Path, metavar="FILE", help="file with the bearer token")
    add("--tls-certificate", type=Path, metavar="FILE")
    add("--tls-key", type=Path, metavar="FILE")
    add(
        "--playground",
        action="store_true",
        help="a page to try the model in a browser, at /playground",
    )
    add("--cors", action="store_true", help="pages of other origins may ask")
    add(
        "--reload-root",
        type=Path,
        metavar="DIR",
        help="take configurations over gRPC, with base paths below this folder",
    )
    add("--drain-delay-seconds", type=float, default=_DEFAULTS.drain_delay_seconds)
    add("--grace-seconds", type=float, default=_DEFAULTS.grace_seconds)


def _add_loading(parser: argparse.ArgumentParser) -> None:
    add, loading = parser.add_argument, _DEFAULTS.loading
    add("--poll-seconds", type=float, default=loading.poll_seconds)
    add("--config-poll-seconds", type=float, default=loading.config_poll_seconds)
    add("--max-load-retries", type=int, default=loading.max_num_load_retries)
    add(
        "--load-retry-seconds",
        type=float,
        default=loading.load_retry_interval_seconds,
    )
    add(
        "--allow-ops",
        default="",
        metavar="OP,...",
        help="ops that reach out of the model, and may run",
    )
    add(
        "--require-manifest", action="store_true", help="serve zootune's artifacts only"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add, limits = parser.add_argument, _DEFAULTS.limits
    add("--timeout-seconds", type=float, default=limits.timeout_seconds)
    add("--header-seconds", type=float, default=limits.header_seconds)
    add(
        "--min-body-rate",
        type=float,
        default=limits.min_body_bytes_per_second,
        metavar="BYTES",
        help="per second; a slower request is dropped",
    )
    add(
        "--client-share",
        type=float,
        default=limits.client_share,
        help="of all places, for one address; 1 behind a proxy",
    )
    add("--max-body-mb", type=float, default=limits.max_body_bytes / MEBIBYTE)
    add("--max-in-flight", type=int, default=limits.max_in_flight)
    add("--max-in-flight-mb", type=float, default=limits.max_in_flight_bytes / MEBIBYTE)
    add("--max-connections", type=int, default=limits.max_connections)


def run(arguments: argparse.Namespace) -> None:
    """Serves until a signal comes.

    Raises:
        ConfigError: if flags exclude each other, or a package is missing.
        ArtifactError: if there is nothing to serve.
    """
    _refuse_contradictions(arguments)
    with thinned_stderr():
        start_tensorflow("tensorflow")
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("zootune").setLevel(logging.INFO)
        _serve(arguments)


def _serve(arguments: argparse.Namespace) -> None:
    try:
        from pipelines.serving.server import app, text_files
    except ImportError as error:
        raise ConfigError(f"Serving needs more packages ({error}): {_EXTRA}") from error
    if arguments.model_config:
        models = text_files.parse_models(_read(arguments.model_config))
    else:
        base = arguments.base.absolute()
        models = (ModelConfig(arguments.name or model_name(base), base),)
    batching = _DEFAULTS.batching
    if arguments.batching_parameters:
        batching = text_files.parse_batching(_read(arguments.batching_parameters))
    if arguments.no_batching:
        batching = Batching(enabled=False)
    metrics_path = _DEFAULTS.metrics_path
    if arguments.monitoring_config:
        metrics_path = text_files.parse_metrics_path(_read(arguments.monitoring_config))
    settings = dataclasses.replace(
        _settings(arguments),
        batching=batching,
        metrics_path=metrics_path,
    )
    app.serve(settings, models, config_file=arguments.model_config)


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    """Raises `ConfigError` if flags exclude each other, or a file is not there."""
    if (arguments.base is None) == (arguments.model_config is None):
        raise ConfigError(
            "Say what to serve: a BASE folder, or --model-config FILE, and not both."
        )
    if arguments.model_config and arguments.name:
        raise ConfigError("--name goes with BASE; a models.config names its models.")
    if arguments.no_batching and arguments.batching_parameters:
        raise ConfigError("--no-batching and --batching-parameters exclude each other.")
    if (arguments.tls_certificate is None) != (arguments.tls_key is None):
        raise ConfigError("TLS needs both --tls-certificate and --tls-key.")
    for name, port in (
        ("--rest-port", arguments.rest_port),
        ("--grpc-port", arguments.grpc_port),
    ):
        if not 0 <= port <= _LARGEST_PORT:
            raise ConfigError(
                f"{name}={port} is not a port; ports are 1 to {_LARGEST_PORT}, and 0"
                " takes any free one."
            )
    if arguments.rest_port == arguments.grpc_port != 0:
        raise ConfigError(
            f"--rest-port and --grpc-port are both {arguments.rest_port}; each needs"
            " one of its own."
        )
    _refuse_odd_limits(arguments)
    if arguments.base:
        _refuse_no_base(arguments.base)
    for path in (arguments.tls_certificate, arguments.tls_key):
        if path is not None:
            _read(path)


def _refuse_odd_limits(arguments: argparse.Namespace) -> None:
    """Raises `ConfigError` for limits that leave nothing to answer."""
    for name in _POSITIVE:
        value = getattr(arguments, name)
        if not (value > 0 and math.isfinite(value)):
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag}={value:g} must be more than 0.")
    if not 0 < arguments.client_share <= 1:
        raise ConfigError(
            f"--client-share={arguments.client_share:g} must be more than 0 and at most"
            " 1, which is all places."
        )
    if not 0 <= arguments.min_body_rate < math.inf:
        raise ConfigError(
            f"--min-body-rate={arguments.min_body_rate:g} must be 0, for none, or more."
        )


def _refuse_no_base(base: Path) -> None:
    if (base / "saved_model.pb").exists():
        raise ArtifactError(
            f"{base} is one version; serve the folder that it is in: {base.parent}."
        )
    if not base.is_dir():
        raise ArtifactError(
            f"{base} is not a folder. Give a folder with versions in it, such as"
            " runs/photos/artifact."
        )
    if versions(base):
        return
    if (base / "artifact").is_dir():
        raise ArtifactError(
            f"{base} has no versions in it. It looks like a run: try"
            f" {base / 'artifact'}."
        )
    if (base / "config.json").is_file():
        raise ArtifactError(
            f"{base} looks like a run that has published nothing; train it to its end"
            " first."
        )


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        host=arguments.host,
        rest_port=arguments.rest_port,
        grpc_port=arguments.grpc_port,
        drain_delay_seconds=arguments.drain_delay_seconds,
        grace_seconds=arguments.grace_seconds,
        playground=arguments.playground,
        limits=Limits(
            timeout_seconds=arguments.timeout_seconds,
            header_seconds=arguments.header_seconds,
            min_body_bytes_per_second=arguments.min_body_rate,
            client_share=arguments.client_share,
            max_body_bytes=int(arguments.max_body_mb * MEBIBYTE),
            max_in_flight=arguments.max_in_flight,
            max_in_flight_bytes=int(arguments.max_in_flight_mb * MEBIBYTE),
            max_connections=arguments.max_connections,
        ),
        access=Access(
            token=_token(arguments.token_file),
            tls_certificate=arguments.tls_certificate,
            tls_key=arguments.tls_key,
            reload_root=arguments.reload_root,
            cors=arguments.cors,
        ),
        loading=Loading(
            poll_seconds=arguments.poll_seconds,
            config_poll_seconds=arguments.config_poll_seconds,
            max_num_load_retries=arguments.max_load_retries,
            load_retry_interval_seconds=arguments.load_retry_seconds,
            allowed_ops=frozenset(filter(None, arguments.allow_ops.split(","))),
            require_manifest=arguments.require_manifest,
        ),
    )


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    token = _read(path).strip()
    if not token:
        raise ConfigError(f"{path} is empty; a token file holds the token and no more.")
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
