"""The gRPC server: its limits, its services, and the port it listens at."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from pipelines.serving.server.errors import port_is_taken
from pipelines.serving.server.grpc import messages, services
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models.manager import Manager
from pipelines.serving.server.settings import Access, Limits, Settings

# gRPC connections at their limit that may wait for a refusal.
_PENDING_CONNECTIONS = 16
# What a call may send before its message is read, at least: the usual window of HTTP/2.
_LEAST_WINDOW_BYTES = 65_535


def new_server(
    settings: Settings,
    address: str,
    manager: Manager,
    admission: Admission,
    metrics: Metrics,
    health_servicer: health.aio.HealthServicer,
    *,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
) -> tuple[grpc.aio.Server, int]:
    """A gRPC server that is not started yet, and its port.

    The `interceptors` see a call first, before its message is there.

    Raises:
        ConfigError: if it cannot listen at the address.
    """
    server = grpc.aio.server(
        interceptors=[*interceptors, messages.AwaitMessages(admission)],
        options=_options(settings.limits),
    )
    services.add_services(
        server,
        manager,
        admission,
        metrics,
        reload_root=settings.access.reload_root,
    )
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    credentials = _credentials(settings.access)
    try:
        port = (
            server.add_secure_port(address, credentials)
            if credentials
            else server.add_insecure_port(address)
        )
    except RuntimeError as error:
        raise port_is_taken("gRPC", address) from error
    return server, port


def _options(limits: Limits) -> list[tuple[str, int]]:
    most_pending = _PENDING_CONNECTIONS * limits.max_in_flight
    most_unread = limits.max_in_flight_bytes // limits.max_in_flight // 2
    most_unread = max(most_unread, _LEAST_WINDOW_BYTES)
    # No `maximum_concurrent_rpcs`: it counts calls that never send a message, and
    # refuses those for health then. `Admission` counts, by client.
    return [
        ("grpc.max_receive_message_length", limits.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        # Or buffers grow to what a fast network brings, for calls nobody reads yet.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", most_unread),
        # Or a second server would take the port and half of the requests.
        ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", limits.max_in_flight),
        # Handshakes and connections that nobody uses make room for others.
        ("grpc.server_handshake_timeout_ms", int(1000 * limits.header_seconds)),
        ("grpc.max_connection_idle_ms", int(1000 * limits.idle_seconds)),
        ("grpc.max_allowed_incoming_connections", limits.max_connections),
        ("grpc.max_metadata_size", limits.max_header_bytes),
        ("grpc.absolute_max_metadata_size", limits.max_header_bytes),
        # Above these gRPC answers CANCELLED, by chance between the two, which no client
        # takes for a reason to come back; `Admission` says why.
        ("grpc.server.max_pending_requests", most_pending // 2),
        ("grpc.server.max_pending_requests_hard_limit", most_pending),
    ]


def _credentials(access: Access) -> grpc.ServerCredentials | None:
    if access.tls_certificate is None or access.tls_key is None:
        return None
    pair = (access.tls_key.read_bytes(), access.tls_certificate.read_bytes())
    return grpc.ssl_server_credentials([pair])
