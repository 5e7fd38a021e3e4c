"""The gRPC interface: PredictionService and ModelService."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from pipelines.errors import ArtifactError, ConfigError
from pipelines.serving.naming import CLASS_NAMES, DEFAULT
from pipelines.serving.server import text_files
from pipelines.serving.server.arrivals import Client
from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models import examples, service, tensors
from pipelines.serving.server.models.daemon_thread import in_daemon_thread
from pipelines.serving.server.models.manager import Loaded, Manager, Target
from pipelines.serving.server.models.signature import (
    Signature,
    check_filter,
    filtered,
    unknown_signature,
)

_logger = logging.getLogger("zootune.serve")
_SIGNATURE_DEF = "signature_def"
_STATUS = {code.value[0]: code for code in grpc.StatusCode}
_CLASSIFY = "tensorflow/serving/classify"
_REGRESS = "tensorflow/serving/regress"


class _Guarded:
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


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata."""

    def __init__(self, guarded: _Guarded) -> None:
        self._guarded = guarded
        self._manager = guarded.manager

    async def Predict(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """The outputs of a signature."""
        spec, output_filter = model_pb2.ModelSpec(), list(request.output_filter)
        spec.CopyFrom(request.model_spec)

        async def work(deadline: float) -> Any:
            nonlocal request
            with self._manager.resolve(_target(request)).held() as version:
                signature = _signature(version, spec)
                check_filter(signature, output_filter)
                limit = self._guarded.admission.limits.max_body_bytes
                inputs = {
                    name: tensors.read(name, proto, max_bytes=limit)
                    for name, proto in request.inputs.items()
                }
                del request  # as large as its inputs, which are arrays now
                outputs = await service.predict(
                    version, signature, inputs, deadline=deadline
                )
                response = predict_pb2.PredictResponse()
                _say_which(response.model_spec, spec, version)
                for name, value in filtered(signature, outputs, output_filter).items():
                    response.outputs[name].CopyFrom(tensors.write(value))
                context.set_trailing_metadata(
                    tuple(service.version_headers(version).items())
                )
                return response

        return await self._answer("Predict", spec.name, context, work)

    async def Classify(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Classes with their scores for each example."""
        make = classification_pb2.ClassificationResponse
        return await self._infer("Classify", request, context, self._classify, make)

    async def Regress(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """A value for each example."""
        make = regression_pb2.RegressionResponse
        return await self._infer("Regress", request, context, self._regress, make)

    async def _infer(
        self,
        api: str,
        request: Any,
        context: grpc.aio.ServicerContext,
        ask: Callable[..., Awaitable[Any]],
        make: Callable[..., Any],
    ) -> Any:
        async def work(deadline: float) -> Any:
            with self._manager.resolve(_target(request)).held() as version:
                result = await ask(version, request.model_spec, request.input, deadline)
                response = make(result=result)
                _say_which(response.model_spec, request.model_spec, version)
                return response

        return await self._answer(api, request.model_spec.name, context, work)

    async def MultiInference(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """Several classifications and regressions of the same examples."""

        async def work(deadline: float) -> Any:
            _check_tasks(request.tasks)
            response = inference_pb2.MultiInferenceResponse()
            with self._manager.resolve(_target(request.tasks[0])).held() as version:
                for task in request.tasks:
                    result = response.results.add()
                    ask = _CLASSIFIERS[task.method_name]
                    answer = await ask(
                        self, version, task.model_spec, request.input, deadline
                    )
                    getattr(result, _RESULTS[task.method_name]).CopyFrom(answer)
                    _say_which(result.model_spec, task.model_spec, version)
            return response

        first = request.tasks[0] if request.tasks else inference_pb2.InferenceTask()
        return await self._answer(
            "MultiInference", first.model_spec.name, context, work
        )

    async def GetModelMetadata(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """The signatures of a version, and the names of its classes or targets."""

        async def work(_: float) -> Any:
            fields = request.metadata_field
            _check_metadata_fields(fields)
            version = self._manager.resolve(_target(request))
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = version.number
            if _SIGNATURE_DEF in fields:
                described = get_model_metadata_pb2.SignatureDefMap()
                for name, signature in version.servable.signature_defs.items():
                    described.signature_def[name].CopyFrom(signature)
                response.metadata[_SIGNATURE_DEF].Pack(described)
            if CLASS_NAMES in fields:
                names = version.servable.class_names
                if not names:  # a model of others, as TensorFlow Serving refuses all
                    raise _unknown_field(CLASS_NAMES)
                listed = struct_pb2.ListValue()
                listed.extend(names)
                response.metadata[CLASS_NAMES].Pack(listed)
            return response

        name = request.model_spec.name
        return await self._guarded.answer("GetModelMetadata", name, context, work)

    async def _answer(
        self,
        api: str,
        name: str,
        context: grpc.aio.ServicerContext,
        work: Callable[[float], Awaitable[Any]],
    ) -> Any:
        return await self._guarded.answer(api, name, context, work, takes_place=True)

    async def _classify(
        self, version: Loaded, spec: Any, input_: Any, deadline: float
    ) -> classification_pb2.ClassificationResult:
        rows = await service.classify(
            version,
            _signature(version, spec),
            examples.serialized(input_),
            deadline=deadline,
        )
        result = classification_pb2.ClassificationResult()
        for classes in rows:
            added = result.classifications.add()
            for label, score in classes:
                added.classes.add(label=label.decode(errors="replace"), score=score)
        return result

    async def _regress(
        self, version: Loaded, spec: Any, input_: Any, deadline: float
    ) -> regression_pb2.RegressionResult:
        values = await service.regress(
            version,
            _signature(version, spec),
            examples.serialized(input_),
            deadline=deadline,
        )
        result = regression_pb2.RegressionResult()
        for value in values:
            result.regressions.add(value=value)
        return result


_CLASSIFIERS = {
    _CLASSIFY: PredictionService._classify,
    _REGRESS: PredictionService._regress,
}
_RESULTS = {_CLASSIFY: "classification_result", _REGRESS: "regression_result"}


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus, and HandleReloadConfigRequest where it is allowed."""

    def __init__(self, guarded: _Guarded, *, reload_root: Path | None) -> None:
        self._guarded = guarded
        self._manager = guarded.manager
        self._root = reload_root

    async def GetModelStatus(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """The states of a model's versions."""

        async def work(_: float) -> Any:
            response = get_model_status_pb2.GetModelStatusResponse()
            for version in self._manager.status(_target(request)):
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


def add_services(
    server: grpc.aio.Server,
    manager: Manager,
    admission: Admission,
    metrics: Metrics,
    *,
    reload_root: Path | None,
) -> None:
    """Adds both services to a gRPC server."""
    guarded = _Guarded(manager, admission, metrics)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(guarded), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        ModelService(guarded, reload_root=reload_root), server
    )


def _target(request: Any) -> Target:
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


def _signature(version: Loaded, spec: Any) -> Signature:
    name = spec.signature_name or DEFAULT
    known = service.signatures(version)
    if name not in known:
        raise unknown_signature(name, over_rest=False)
    return known[name]


def _say_which(answered: Any, asked: Any, version: Loaded) -> None:
    """The version that answered, which the client may not have named."""
    answered.name = asked.name
    answered.version.value = version.number
    answered.signature_name = asked.signature_name or DEFAULT


def _check_tasks(tasks: Any) -> None:
    if not tasks:
        raise invalid("Inference request must have at least one task.")
    names = {task.model_spec.name for task in tasks}
    if len(names) > 1:
        raise invalid(
            "All ModelSpecs in a MultiInferenceRequest must access the same model"
            f" name; they name {sorted(names)}."
        )
    asked = [task.model_spec.signature_name for task in tasks]
    for i, name in enumerate(asked):
        if name in asked[:i]:
            raise invalid(f"Duplicate evaluation of signature: {name}")
    for task in tasks:
        if task.method_name not in _CLASSIFIERS:
            raise ServingError(
                Code.UNIMPLEMENTED,
                f"Unsupported signature method_name: {task.method_name}",
            )


def _check_metadata_fields(fields: Any) -> None:
    if not fields:
        raise invalid(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in fields:
        if field not in (_SIGNATURE_DEF, CLASS_NAMES):
            raise _unknown_field(field)


def _unknown_field(field: str) -> ServingError:
    return invalid(f"Metadata field {field} is not supported")
