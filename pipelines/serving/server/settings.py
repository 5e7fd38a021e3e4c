"""The settings of a server: plain data, imports nothing."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

MEBIBYTE = 2**20
METRICS_PATH = "/monitoring/prometheus/metrics"


@dataclasses.dataclass(frozen=True)
class Batching:
    """Parameters of batching; the names are TensorFlow Serving's.

    `batch_timeout_micros` bounds how long a batch waits for clients that were answered
    just now to ask again. If it is not `enabled`, each request is a call of its own.
    The `num_batch_threads` share the cores: with as many as there are cores, each call
    has one.
    """

    enabled: bool = True
    max_batch_size: int = 32
    batch_timeout_micros: int = 2000
    max_enqueued_batches: int = 4
    num_batch_threads: int = dataclasses.field(
        default_factory=lambda: os.cpu_count() or 1
    )
    allowed_batch_sizes: tuple[int, ...] = ()
    enable_large_batch_splitting: bool = True


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits for one client, and for all of them together.

    `header_seconds` is for the headers of a request, for a TLS handshake, and for each
    part of a body, which has to bring `min_body_bytes_per_second` in them; the whole
    request, and the message of a call, have `timeout_seconds`. An address may have
    `client_share` of all places and bytes, and one of its connections half of that:
    behind a proxy, where all clients have one address, the share may be 1.
    """

    timeout_seconds: float = 30.0
    header_seconds: float = 10.0
    max_header_bytes: int = 64 * 1024
    max_header_count: int = 128
    min_body_bytes_per_second: float = 1000.0
    client_share: float = 0.5
    idle_seconds: float = 60.0
    max_body_bytes: int = 32 * MEBIBYTE
    max_in_flight: int = 1024
    max_in_flight_bytes: int = 256 * MEBIBYTE
    max_connections: int = 4096


@dataclasses.dataclass(frozen=True)
class Access:
    """The token and certificate that guard a server; None leaves it open."""

    token: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    # Configurations over gRPC may name base paths below this folder; None: none.
    reload_root: Path | None = None
    cors: bool = False


@dataclasses.dataclass(frozen=True)
class Loading:
    """Parameters of finding and loading versions."""

    poll_seconds: float = 1.0
    config_poll_seconds: float = 0.0
    max_num_load_retries: int = 5
    load_retry_interval_seconds: float = 60.0
    # Ops that the scan would refuse.
    allowed_ops: frozenset[str] = frozenset()
    require_manifest: bool = False


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings. With a `metrics_path` of None, no page shows metrics."""

    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    drain_delay_seconds: float = 0.0
    grace_seconds: float = 30.0
    metrics_path: str | None = METRICS_PATH
    # A page to try the models in a browser.
    playground: bool = False
    batching: Batching = Batching()
    limits: Limits = Limits()
    access: Access = Access()
    loading: Loading = Loading()
