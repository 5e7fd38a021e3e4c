"""The gRPC interface: its services, and PredictionService."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from pipelines.serving.naming import CLASS_NAMES, DEFAULT
from pipelines.serving.server.errors import Code, ServingError, invalid
from pipelines.serving.server.grpc.guarded import Guarded, target_of
from pipelines.serving.server.grpc.model_service import ModelService
from pipelines.serving.server.limits import Admission
from pipelines.serving.server.metrics import Metrics
from pipelines.serving.server.models import examples, service, tensors
from pipelines.serving.server.models.manager import Loaded, Manager
from pipelines.serving.server.models.signature import (
    Signature,
    check_filter,
    filtered,
    unknown_signature,
)

_SIGNATURE_DEF = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata."""

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._manager = guarded.manager

    async def Predict(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """The outputs of a signature."""
        spec, output_filter = model_pb2.ModelSpec(), list(request.output_filter)
        spec.CopyFrom(request.model_spec)

        async def work(deadline: float) -> Any:
            nonlocal request
            with self._manager.resolve(target_of(request)).held() as version:
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
        response = classification_pb2.ClassificationResponse
        return await self._infer("Classify", request, context, _CLASSIFY, response)

    async def Regress(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """A value for each example."""
        response = regression_pb2.RegressionResponse
        return await self._infer("Regress", request, context, _REGRESS, response)

    async def _infer(
        self,
        api: str,
        request: Any,
        context: grpc.aio.ServicerContext,
        method: _Method,
        make: Callable[..., Any],
    ) -> Any:
        async def work(deadline: float) -> Any:
            spec = request.model_spec
            with self._manager.resolve(target_of(request)).held() as version:
                result = await method.ask(version, spec, request.input, deadline)
                response = make(result=result)
                _say_which(response.model_spec, spec, version)
                return response

        return await self._answer(api, request.model_spec.name, context, work)

    async def MultiInference(
        self, request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """Several classifications and regressions of the same examples."""

        async def work(deadline: float) -> Any:
            _check_tasks(request.tasks)
            response = inference_pb2.MultiInferenceResponse()
            with self._manager.resolve(target_of(request.tasks[0])).held() as version:
                for task in request.tasks:
                    result = response.results.add()
                    method = _METHODS[task.method_name]
                    answer = await method.ask(
                        version, task.model_spec, request.input, deadline
                    )
                    getattr(result, method.result).CopyFrom(answer)
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
            version = self._manager.resolve(target_of(request))
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


@dataclasses.dataclass(frozen=True)
class _Method:
    """A task for examples, with its message and the field of a result."""

    task: service.Task[Any]
    write: Callable[[list[Any]], Any]
    result: str

    async def ask(
        self, version: Loaded, spec: Any, input_: Any, deadline: float
    ) -> Any:
        """The message with the answers of a version for all examples."""
        answers = await service.infer(
            version,
            _signature(version, spec),
            examples.serialized(input_),
            self.task,
            deadline=deadline,
        )
        return self.write(answers)


def _classifications(
    rows: list[examples.Classes],
) -> classification_pb2.ClassificationResult:
    result = classification_pb2.ClassificationResult()
    for classes in rows:
        added = result.classifications.add()
        for label, score in classes:
            added.classes.add(label=label.decode(errors="replace"), score=score)
    return result


def _regressions(values: list[float]) -> regression_pb2.RegressionResult:
    result = regression_pb2.RegressionResult()
    for value in values:
        result.regressions.add(value=value)
    return result


_CLASSIFY = _Method(service.CLASSIFY, _classifications, "classification_result")
_REGRESS = _Method(service.REGRESS, _regressions, "regression_result")
# By the names that a request for several of them has.
_METHODS = {
    "tensorflow/serving/classify": _CLASSIFY,
    "tensorflow/serving/regress": _REGRESS,
}


def add_services(
    server: grpc.aio.Server,
    manager: Manager,
    admission: Admission,
    metrics: Metrics,
    *,
    reload_root: Path | None,
) -> None:
    """Adds both services to a gRPC server."""
    guarded = Guarded(manager, admission, metrics)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(guarded), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        ModelService(guarded, reload_root=reload_root), server
    )


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
        if task.method_name not in _METHODS:
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
