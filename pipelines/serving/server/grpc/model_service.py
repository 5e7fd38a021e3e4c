"""ModelService of gRPC: the states of versions, and other models from now on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)

from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving.server import text_files
from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.grpc.guarded import Guarded, target_of
from pipelines.serving.server.models.daemon_thread import in_daemon_thread


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus, and HandleReloadConfigRequest where it is allowed."""

    def __init__(self, guarded: Guarded, *, reload_root: Path | None) -> None:
        self._guarded = guarded
        self._manager = guarded.manager
        self._root = reload_root

    async def GetModelStatus(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """The states of a model's versions."""

        async def work(_: float) -> Any:
            response = get_model_status_pb2.GetModelStatusResponse()
            for version in self._manager.status(target_of(request)):
                added = response.model_version_status.add(
                    version=version.number, state=int(version.state)
                )
                added.status.error_code = int(version.code)
                added.status.error_message = version.message
            return response

        name = request.model_spec.name
        return await self._guarded.answer("GetModelStatus", name, context, work)

    async def HandleReloadConfigRequest(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """Serves other models from now on, below the folder that is allowed."""

        async def work(_: float) -> Any:
            response = model_management_pb2.ReloadConfigResponse()
            try:
                configs = text_files.models_of(request.config)
                paths = [config.base_path for config in configs]
                await in_daemon_thread(lambda: self._refuse_outside(paths))
                await self._manager.apply(configs)
            except (ConfigError, ArtifactError) as error:
                raise invalid(str(error)) from error
            response.status.error_code = int(Code.OK)
            return response

        return await self._guarded.answer("ReloadConfig", "", context, work)

    def _refuse_outside(self, paths: list[Path]) -> None:
        """Raises `ServingError` for paths that a client may not have read."""
        if self._root is None:
            raise ServingError(
                Code.PERMISSION_DENIED,
                "Configurations over the network are not taken. Start the server with"
                " --reload-root DIR to allow base paths below it.",
            )
        root = self._root.resolve()
        outside = [str(p) for p in paths if not p.resolve().is_relative_to(root)]
        if outside:
            raise ServingError(
                Code.PERMISSION_DENIED, f"Base paths outside of {root}: {outside}."
            )
