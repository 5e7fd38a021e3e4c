"""Calls that are counted, limited, and answered with the code of what goes wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models.manager import Manager, Target

_STATUS = {code.value[0]: code for code in grpc.StatusCode}


class Guarded:
    """Answers with the code of what goes wrong, and counts."""

    def __init__(
        self, manager: Manager, admission: Admission, metrics: Metrics
    ) -> None:
        self.manager = manager
        self.admission = admission
        self.metrics = metrics

    async def answer(
        self,
        api: str,
        name: str,
        context: grpc.aio.ServicerContext,
        work: Callable[[float], Awaitable[Any]],
        *,
        takes_place: bool = False,
    ) -> Any:
        """Answers with the result of `work`; only a probe takes no place."""
        places = self.admission.places
        started = time.monotonic()
        remaining = context.time_remaining()
        longest = self.admission.limits.timeout_seconds
        deadline = started + (longest if remaining is None else min(remaining, longest))
        code = Code.UNKNOWN
        try:
            with (
                places.hold(Client.of_peer(context.peer()))
                if takes_place
                else contextlib.nullcontext()
            ):
                answer = await work(deadline)
            code = Code.OK
            return answer
        except ServingError as error:
            code = error.code
            await context.abort(_STATUS[code], error.without_trace().message)
        finally:
            self.metrics.answered(
                name if name in self.manager.names else "",
                api=api,
                entrypoint="GRPC",
                status=code.name,
                seconds=time.monotonic() - started,
            )


def target_of(request: Any) -> Target:
    """The version that a request asks.

    Raises:
        ServingError: if it names no model.
    """
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    match spec.WhichOneof("version_choice"):
        case "version":
            return Target(spec.name, version=spec.version.value)
        case "version_label":
            return Target(spec.name, label=spec.version_label)
    return Target(spec.name)
