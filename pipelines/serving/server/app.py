"""The server as a whole: it starts, says where it is, and ends without losing any."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from grpc_health.v1 import health, health_pb2
from starlette.types import ASGIApp

from pipelines.serving.server import memory, text_files
from pipelines.serving.server.access import RequireToken, TokenInterceptor
from pipelines.serving.server.errors import port_is_taken
from pipelines.serving.server.grpc.server import new_server
from pipelines.serving.server.http import playground
from pipelines.serving.server.http.connections import limited
from pipelines.serving.server.http.rest import ModelApi, application
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models.batcher import Batcher, Workers
from pipelines.serving.server.models.daemon_thread import in_daemon_thread
from pipelines.serving.server.models.manager import Manager
from pipelines.serving.server.models.model_config import ModelConfig
from pipelines.serving.server.models.servable import share_cores
from pipelines.serving.server.open_files import with_room
from pipelines.serving.server.settings import Settings

_logger = logging.getLogger("zootune.serve")
_FORCED = 143


def serve(
    settings: Settings,
    models: Sequence[ModelConfig],
    *,
    config_file: Path | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, and returns when all in flight is answered.

    `config_file` is read again every `loading.config_poll_seconds`, if that is not 0.

    Raises:
        ConfigError: if a port is taken, or the configuration cannot be served.
        ArtifactError: if no version of a model loads.
    """
    share_cores(settings.batching.num_batch_threads)
    memory.settle()
    memory.return_large_blocks()
    settings = with_room(settings)
    loop = new_loop(settings.limits.header_seconds)
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_run(settings, models, config_file))
    # A model may still be loading in a thread, which would run into the end of
    # everything around it. All is answered and written, so the process ends here.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _run(
    settings: Settings, models: Sequence[ModelConfig], config_file: Path | None
) -> None:
    server = Server(settings)
    server.listen_for_signals()
    await server.run(models, config_file)


class Server:
    """Both interfaces; their ports are there once they listen."""

    rest_port = 0
    grpc_port = 0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._admission = Admission(settings.limits)
        batching = settings.batching
        self._workers = Workers(batching.num_batch_threads)
        self._manager = Manager(
            settings.loading,
            metrics=self._metrics,
            batcher_of=lambda servable: Batcher(
                servable, batching, self._workers, self._metrics
            ),
        )
        self._health = health.aio.HealthServicer()
        self._ending = asyncio.Event()
        self._signals = 0

    async def run(
        self, models: Sequence[ModelConfig], config_file: Path | None
    ) -> None:
        """Serves until `end` is called, and returns when all in flight is answered.

        Raises:
            ConfigError: if a port is taken, or the configuration cannot be served.
            ArtifactError: if no version of a model loads.
        """
        with _bound(self._settings) as (rest_socket, grpc_address):
            rest, token = self._rest_server(), self._settings.access.token
            grpc_server, self.grpc_port = new_server(
                self._settings,
                grpc_address,
                self._manager,
                self._admission,
                self._metrics,
                self._health,
                interceptors=[TokenInterceptor(token)] if token else [],
            )
            self.rest_port = rest_socket.getsockname()[1]
            await grpc_server.start()
            serving = asyncio.create_task(rest.serve(sockets=[rest_socket]))
            following = asyncio.create_task(self._follow(models, config_file))
            ending = asyncio.create_task(self._ending.wait())
            _print_addresses(self._settings, self.rest_port, self.grpc_port)
            await asyncio.wait(
                {following, ending, serving}, return_when=asyncio.FIRST_COMPLETED
            )
            self._ending.set()
            following.cancel()
            await self._drain(rest, serving, grpc_server)
            if following.done() and not following.cancelled():
                following.result()  # what kept the models from being served

    def end(self) -> None:
        """Stops taking requests, from the thread of the server's loop."""
        self._ending.set()

    def listen_for_signals(self) -> None:
        """Ends at SIGTERM and SIGINT; only the main thread of a process may."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        if hasattr(signal, "SIGHUP"):  # not on Windows
            loop.add_signal_handler(signal.SIGHUP, self._on_hang_up)

    def _on_signal(self) -> None:
        """The first signal ends in peace, the second one at once."""
        self._signals += 1
        if self._signals > 1:
            sys.stderr.write("zoo: ended at once, by a second signal\n")
            sys.stderr.flush()
            os._exit(_FORCED)
        self.end()

    def _on_hang_up(self) -> None:
        """A terminal that is closed ends no server, and polls need no asking."""
        _logger.info(
            "SIGHUP is ignored: versions are looked for every %g seconds; SIGTERM ends"
            " the server",
            self._settings.loading.poll_seconds,
        )

    @property
    def is_ready(self) -> bool:
        """Every model has a version that answers, and the end has not begun."""
        return self._manager.is_ready and not self._ending.is_set()

    def _rest_server(self) -> _QuietServer:
        settings = self._settings
        api = ModelApi(
            self._manager, self._admission, self._metrics, cors=settings.access.cors
        )
        app: ASGIApp = application(
            api,
            self._metrics,
            is_ready=lambda: self.is_ready,
            metrics_path=settings.metrics_path,
            more_pages=(
                playground.routes(lambda: self._manager.names)
                if settings.playground
                else ()
            ),
        )
        if settings.access.token:
            open_paths = playground.OPEN_PATHS if settings.playground else ()
            app = RequireToken(
                app,
                settings.access.token,
                open_paths=open_paths,
                cors=settings.access.cors,
            )
        return _QuietServer(
            uvicorn.Config(
                app,
                http=limited(settings.limits),
                ws="none",
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=int(settings.limits.idle_seconds),
                timeout_graceful_shutdown=int(settings.grace_seconds),
                ssl_certfile=settings.access.tls_certificate,
                ssl_keyfile=settings.access.tls_key,
            )
        )

    async def _follow(
        self, models: Sequence[ModelConfig], config_file: Path | None
    ) -> None:
        """Loads what is to be served, and keeps it as the disk says."""
        await self._manager.apply(models)
        _logger.info("ready: %s", ", ".join(self._manager.names))
        await self._tell_health()
        print(f"ready: {', '.join(self._manager.names)}", flush=True)
        await asyncio.gather(self._poll_versions(), self._poll_config(config_file))

    async def _poll_versions(self) -> None:
        seconds = self._settings.loading.poll_seconds
        while seconds:
            await asyncio.sleep(seconds)
            await self._manager.poll()
            await self._tell_health()

    async def _poll_config(self, path: Path | None) -> None:
        """Takes a changed configuration over; a broken one is said once and left."""
        seconds = self._settings.loading.config_poll_seconds
        seen = _text(path) if path else None
        while seconds and path:
            await asyncio.sleep(seconds)
            # A disk may take its time, which is nobody else's.
            text = await in_daemon_thread(lambda: _text(path))
            if text == seen:
                continue
            seen = text
            try:
                await self._manager.apply(text_files.parse_models(text or ""))
                _logger.info("%s is in force", path)
            except Exception as error:  # noqa: BLE001 - what is loaded serves on
                _logger.error("%s is not taken, the one before stays: %s", path, error)

    async def _tell_health(self) -> None:
        serving = health_pb2.HealthCheckResponse.ServingStatus
        state = serving.SERVING if self.is_ready else serving.NOT_SERVING
        for name in ("", *self._manager.names):
            await self._health.set(name, state)

    async def _drain(
        self, rest: _QuietServer, serving: asyncio.Task, grpc_server: grpc.aio.Server
    ) -> None:
        """Not ready at once, then no new connections, then the last answers."""
        await self._health.enter_graceful_shutdown()
        if self._signals:
            await asyncio.sleep(self._settings.drain_delay_seconds)
        rest.should_exit = True
        await asyncio.gather(serving, grpc_server.stop(self._settings.grace_seconds))
        await self._manager.close()
        self._workers.close()


class _QuietServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: this process has two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[tuple[socket.socket, str]]:
    """A socket for REST, and the address for gRPC."""
    host = settings.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, settings.rest_port))
        except OSError as error:
            raise port_is_taken("REST", f"{host}:{settings.rest_port}") from error
        in_brackets = f"[{host}]" if ":" in host else host
        yield listening, f"{in_brackets}:{settings.grpc_port}"


def _print_addresses(settings: Settings, rest_port: int, grpc_port: int) -> None:
    scheme = "https" if settings.access.tls_certificate else "http"
    print(f"REST: {scheme}://{settings.host}:{rest_port}", flush=True)
    print(f"gRPC: {settings.host}:{grpc_port}", flush=True)
    if settings.playground:
        page = f"{scheme}://{settings.host}:{rest_port}{playground.PATH}"
        print(f"playground: {page}", flush=True)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def new_loop(handshake_seconds: float) -> asyncio.AbstractEventLoop:
    """A loop in which a TLS handshake ends in time; uvicorn leaves it a minute."""
    base: Any = asyncio.SelectorEventLoop
    if sys.platform != "win32":  # which uvloop does not run on
        with contextlib.suppress(ImportError):
            import uvloop

            base = uvloop.Loop

    class Loop(base):
        async def create_server(self, *args: Any, **options: Any) -> Any:
            if options.get("ssl") is not None:
                options.setdefault("ssl_handshake_timeout", handshake_seconds)
            return await super().create_server(*args, **options)

    return Loop()
