"""The REST interface."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from tensorflow_serving.apis import get_model_metadata_pb2

from pipelines.serving import naming
from pipelines.serving.naming import DEFAULT
from pipelines.serving.server import metrics
from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.errors import Code, ServingError
from pipelines.serving.server.http import (
    cross_origin,
    json_answers,
    json_examples,
    json_tensors,
    open_inference,
    urls,
)
from pipelines.serving.server.http.json_answers import Body
from pipelines.serving.server.http.open_inference import HEADER_LENGTH
from pipelines.serving.server.http.urls import Asked
from pipelines.serving.server.limits import Admission, read_body
from pipelines.serving.server.models import service
from pipelines.serving.server.models.examples import Classes
from pipelines.serving.server.models.manager import Loaded, Manager
from pipelines.serving.server.models.signature import Signature

_logger = logging.getLogger("zootune.serve")
_JSON = "application/json"
_Read = Callable[[Callable[[], Any]], Awaitable[Any]]


class ModelApi:
    """`/v1/models/...` and `/v2/models/...` as an ASGI application."""

    def __init__(
        self,
        manager: Manager,
        admission: Admission,
        counted: metrics.Metrics,
        *,
        cors: bool,
    ) -> None:
        self._manager = manager
        self._admission = admission
        self._metrics = counted
        self._cors = cors
        self._reader = concurrent.futures.ThreadPoolExecutor(1, "read")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        asked, error = None, None
        try:
            if scope["method"] == "OPTIONS":
                await self._preflight(scope)(scope, receive, send)
                return
            asked = urls.parse(scope["method"], _raw_path(scope))
            body = await self._answered(asked, scope, receive, started)
            response = Response(
                body.content, body.status, dict(body.headers), media_type=_JSON
            )
        except ServingError as refused:
            error = refused.without_trace()
            response = error_response(refused)
        if self._cors:
            response.headers.update(cross_origin.READABLE)
        self._count(asked, error, time.monotonic() - started)
        await response(scope, receive, send)

    def _preflight(self, scope: Scope) -> Response:
        origin = Request(scope).headers.get("origin", "")
        if not origin.startswith(("http://", "https://")):
            message = "Origin header is missing in CORS preflight"
            return error_response(ServingError(Code.INVALID_ARGUMENT, message))
        return Response(headers=cross_origin.ALLOWED if self._cors else None)

    async def _answered(
        self, asked: Asked, scope: Scope, receive: Receive, started: float
    ) -> Body:
        """The answer; what costs something takes a place when its body is there."""
        if asked.verb in _SHOWN:
            return _SHOWN[asked.verb](self._manager, asked)
        client = Client.of_scope(scope)
        self._admission.places.refuse_if_full(client)
        self._manager.resolve(asked.target).batcher.refuse_if_full()
        headers = Request(scope).headers
        declared = headers.get("content-length", "")
        deadline = started + self._admission.limits.timeout_seconds
        with self._admission.holding(client) as held:
            body = await read_body(
                _chunks(receive),
                held,
                self._admission.bodies,
                declared_bytes=int(declared) if declared.isdigit() else None,
                encoding=headers.get("content-encoding", "").lower(),
                timeout_seconds=max(deadline - time.monotonic(), 0.001),
            )
            with self._admission.places.hold(client):
                parse = _parser(asked, body, headers.get(HEADER_LENGTH))
                return await self._unless_gone(
                    self._answer(asked, len(body), parse, deadline), receive
                )

    async def _unless_gone(
        self, answer: Coroutine[Any, Any, Body], receive: Receive
    ) -> Body:
        answering = asyncio.create_task(answer)
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait(
                {answering, leaving}, return_when=asyncio.FIRST_COMPLETED
            )
            if answering.done():
                return answering.result()
            raise ServingError(Code.CANCELLED, "The client went away.")
        finally:
            leaving.cancel()
            answering.cancel()

    async def _answer(
        self, asked: Asked, size: int, parse: Callable[[], Any], deadline: float
    ) -> Body:
        with self._manager.resolve(asked.target).held() as version:
            read = functools.partial(self._read, size)
            request = await read(parse)
            body = await _ANSWERS[asked.verb](version, request, read, deadline)
            headers = {**service.version_headers(version), **body.headers}
            return body._replace(headers=headers)

    async def _read(self, size: int, function: Callable[[], Any]) -> Any:
        """Calls a function that reads a body; a large body keeps nobody waiting.

        One after the other, so that not many are in memory at once.
        """
        if size <= json_tensors.SMALL_BYTES:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self._reader, function)

    def _count(
        self, asked: Asked | None, error: ServingError | None, seconds: float
    ) -> None:
        # A name that is not served would let any client make metrics.
        name = asked.target.name if asked else ""
        self._metrics.answered(
            name if name in self._manager.names else "",
            api=asked.verb.capitalize() if asked else "",
            entrypoint="REST",
            status=(error.code if error else Code.OK).name,
            seconds=seconds,
        )
        self._metrics.in_flight(self._admission.places.taken)


def _status(manager: Manager, asked: Asked) -> Body:
    rows = [
        {
            "version": str(version.number),
            "state": version.state.name,
            "status": {
                "error_code": version.code.name,
                "error_message": version.message,
            },
        }
        for version in manager.status(asked.target)
    ]
    return Body(_indented({"model_version_status": rows}))


def _metadata(manager: Manager, asked: Asked) -> Body:
    version = manager.resolve(asked.target)
    described = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in version.servable.signature_defs.items():
        described.signature_def[name].CopyFrom(signature)
    spec = {
        "name": asked.target.name,
        "signature_name": "",
        "version": str(version.number),
    }
    as_dict = json_format.MessageToDict(
        described,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    metadata: dict[str, object] = {"signature_def": as_dict}
    if version.servable.class_names:  # which TensorFlow Serving knows nothing of
        metadata[naming.CLASS_NAMES] = version.servable.class_names
    content = _indented({"model_spec": spec, "metadata": metadata})
    return Body(content, service.version_headers(version))


def _parser(asked: Asked, body: bytes, header_length: str | None) -> Callable[[], Any]:
    """What reads the body of a request."""
    if asked.verb == "infer":
        return functools.partial(open_inference.parse, body, header_length)
    return functools.partial(json_tensors.parse, body)


async def _predict(
    version: Loaded, request: dict, read: _Read, deadline: float
) -> Body:
    signature = _signature(version, request)
    inputs, as_rows = await read(lambda: json_tensors.read_inputs(request, signature))
    outputs = await service.predict(version, signature, inputs, deadline=deadline)
    write = json_answers.write_rows if as_rows else json_answers.write_columns
    return Body(write(outputs))


async def _infer(
    version: Loaded,
    request: dict,
    read: _Read,
    deadline: float,
    *,
    task: service.Task[Any],
    as_json: Callable[[Any], object],
) -> Body:
    signature = _signature(version, request)
    examples = await read(lambda: json_examples.serialized(request))
    answers = await service.infer(version, signature, examples, task, deadline=deadline)
    return Body(json_answers.write_results([as_json(answer) for answer in answers]))


def _named_scores(classes: Classes) -> list[object]:
    return [[name.decode(errors="replace"), score] for name, score in classes]


def _signature(version: Loaded, request: dict) -> Signature:
    return json_tensors.find_signature(service.signatures(version), request, DEFAULT)


# What costs nothing, and what costs something.
_SHOWN: dict[str, Callable[[Manager, Asked], Body]] = {
    "status": _status,
    "metadata": _metadata,
    "model": open_inference.model,
    "ready": open_inference.ready,
}
_ANSWERS: dict[str, Callable[..., Awaitable[Body]]] = {
    "infer": open_inference.infer,
    "predict": _predict,
    "classify": functools.partial(_infer, task=service.CLASSIFY, as_json=_named_scores),
    "regress": functools.partial(_infer, task=service.REGRESS, as_json=float),
}


def application(
    api: ModelApi,
    counted: metrics.Metrics,
    *,
    is_ready: Callable[[], bool],
    metrics_path: str | None,
    more_pages: Sequence[Route] = (),
) -> Starlette:
    """Every route of the server."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        if is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"error": "not ready: loading or ending"}, 503)

    async def numbers(_: Request) -> Response:
        return Response(counted.text(), headers={"Content-Type": metrics.CONTENT_TYPE})

    async def no_such_page(request: Request, _: Exception) -> Response:
        path = request.url.path[:100]
        message = f"There is no {path}; models are below /v1/models and /v2/models."
        return JSONResponse({"error": message}, 404)

    async def wrong_method(request: Request, _: Exception) -> Response:
        return JSONResponse({"error": f"{request.method} is not allowed here."}, 405)

    async def unexpected(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": f"Internal error: {type(error).__name__}"}, 500)

    async def server(_: Request) -> Response:
        return Response(open_inference.server(), media_type=_JSON)

    async def live(_: Request) -> Response:
        return JSONResponse({"live": True})

    async def v2_ready(_: Request) -> Response:
        return JSONResponse({"ready": is_ready()}, 200 if is_ready() else 503)

    pages = [
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/v2", server),
        Route("/v2/health/live", live),
        Route("/v2/health/ready", v2_ready),
        *more_pages,
    ]
    if metrics_path:
        pages.append(Route(metrics_path, numbers))
    return Starlette(
        routes=[
            *pages,
            Route("/{path:path}", endpoint=_OnlyModels(api)),
        ],
        exception_handlers={
            404: no_such_page,
            405: wrong_method,
            Exception: unexpected,
        },
    )


class _OnlyModels:
    """Passes on what begins with `/v1/`, in letters of either case, and `/v2/`."""

    def __init__(self, api: ModelApi) -> None:
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"][:4].lower() not in ("/v1/", "/v2/"):
            raise HTTPException(404)
        await self._api(scope, receive, send)


def error_response(error: ServingError) -> Response:
    """`{"error": ...}` with the status of the error, and when to ask again."""
    headers = {}
    if error.http_status == 413:
        headers["Connection"] = "close"  # what comes behind is not worth reading
    elif error.retry_after_seconds and error.http_status in (429, 503):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.code == Code.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": error.message}, error.http_status, headers)


def _raw_path(scope: Scope) -> str:
    """As the client wrote it, because a name may hold an encoded slash."""
    return scope["raw_path"].split(b"?")[0].decode("latin-1")


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ServingError(Code.CANCELLED, "The client went away.")
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _gone(receive: Receive) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            continue


def _indented(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)
