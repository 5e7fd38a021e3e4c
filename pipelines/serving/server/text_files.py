"""TensorFlow Serving's text files: models, batching, monitoring.

Its Python package has no classes for batching and monitoring. Their messages are
described here, so that protobuf's own reader reads the files.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
)
from tensorflow_serving.config import model_server_config_pb2

from pipelines.errors import ConfigError
from pipelines.serving.server.models.model_config import ModelConfig, VersionPolicy
from pipelines.serving.server.settings import METRICS_PATH, Batching

_FIELD = descriptor_pb2.FieldDescriptorProto
_LABEL = re.compile(r"[A-Za-z0-9_]+")
_PLATFORM = "tensorflow"


def parse_models(text: str) -> tuple[ModelConfig, ...]:
    """The models of a `models.config`.

    Raises:
        ConfigError: if it cannot be read, or says what cannot be.
    """
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        raise ConfigError(
            "Error parsing text-format tensorflow.serving.ModelServerConfig:"
            f" {error}. It begins with: model_config_list {{ config {{ name: 'photos'"
        ) from error
    return models_of(config)


def models_of(config: Any) -> tuple[ModelConfig, ...]:
    """The models of a `ModelServerConfig` message, checked."""
    if config.WhichOneof("config") != "model_config_list":
        raise ConfigError(
            "A ModelServerConfig must have a model_config_list, and came without one."
        )
    models = tuple(_model(message) for message in config.model_config_list.config)
    names = [model.name for model in models]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ConfigError(
            f"The configuration names {doubled} more than once; a name is one model."
        )
    return models


def _model(message: Any) -> ModelConfig:
    if not message.name or not message.base_path:
        raise ConfigError(
            "A model needs a name and a base_path;"
            f" {message.name or message.base_path!r} has only one of them."
        )
    if message.model_platform not in ("", _PLATFORM):
        raise ConfigError(
            f"Model {message.name} is of platform {message.model_platform!r}; this"
            f" server knows {_PLATFORM!r}."
        )
    if not Path(message.base_path).is_absolute():
        raise ConfigError(
            f"The base_path of model {message.name} is {message.base_path!r}; it must"
            " be absolute."
        )
    wrong = [label for label in message.version_labels if not _LABEL.fullmatch(label)]
    if wrong:
        raise ConfigError(
            f"Labels of model {message.name} may have letters, digits and _: {wrong}."
        )
    return ModelConfig(
        name=message.name,
        base_path=Path(message.base_path),
        policy=_policy(message.model_version_policy),
        labels=dict(message.version_labels),
    )


def _policy(message: Any) -> VersionPolicy:
    match message.WhichOneof("policy_choice"):
        case "all":
            return VersionPolicy("all")
        case "specific":
            return VersionPolicy(
                "specific", versions=frozenset(message.specific.versions)
            )
        case _:
            return VersionPolicy("latest", count=message.latest.num_versions or 1)


def _file(name: str, messages: Mapping[str, Mapping[str, tuple]]) -> Any:
    """A described file; a field is its number, its type, and whether it repeats."""
    described = descriptor_pb2.FileDescriptorProto(name=name, package=name)
    for message, fields in messages.items():
        into = described.message_type.add(name=message)
        for field, (number, kind, *repeats) in fields.items():
            added = into.field.add(name=field, number=number)
            added.label = _FIELD.LABEL_REPEATED if repeats else _FIELD.LABEL_OPTIONAL
            if isinstance(kind, str):
                added.type, added.type_name = _FIELD.TYPE_MESSAGE, f".{name}.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{name}.{list(messages)[-1]}")
    )


# Numbers and names as in servables/tensorflow/session_bundle_config.proto.
_BatchingParameters = _file(
    "batching",
    {
        "Int64Value": {"value": (1, _FIELD.TYPE_INT64)},
        "BoolValue": {"value": (1, _FIELD.TYPE_BOOL)},
        "StringValue": {"value": (1, _FIELD.TYPE_STRING)},
        "BatchingParameters": {
            "max_batch_size": (1, "Int64Value"),
            "batch_timeout_micros": (2, "Int64Value"),
            "max_enqueued_batches": (3, "Int64Value"),
            "num_batch_threads": (4, "Int64Value"),
            "thread_pool_name": (5, "StringValue"),
            "allowed_batch_sizes": (6, _FIELD.TYPE_INT64, True),
            "pad_variable_length_inputs": (7, _FIELD.TYPE_BOOL),
            "enable_large_batch_splitting": (8, "BoolValue"),
            "max_execution_batch_size": (9, "Int64Value"),
        },
    },
)
_MonitoringConfig = _file(
    "monitoring",
    {
        "PrometheusConfig": {
            "enable": (1, _FIELD.TYPE_BOOL),
            "path": (2, _FIELD.TYPE_STRING),
        },
        "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
    },
)
_SCALARS = (
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "num_batch_threads",
    "enable_large_batch_splitting",
)


def parse_batching(text: str) -> Batching:
    """The parameters of a batching file, ours where it is silent.

    Raises:
        ConfigError: if it cannot be read, or asks for what is not done.
    """
    message = _parse(
        text, _BatchingParameters(), "tensorflow.serving.BatchingParameters"
    )
    if message.pad_variable_length_inputs:
        raise ConfigError(
            "pad_variable_length_inputs is not done: inputs of different shapes run in"
            " batches of their own. Leave it out."
        )
    parameters = {
        name: getattr(message, name).value
        for name in _SCALARS
        if message.HasField(name)
    }
    if message.HasField("max_execution_batch_size"):
        parameters["max_batch_size"] = message.max_execution_batch_size.value
    batching = dataclasses.replace(
        Batching(**parameters), allowed_batch_sizes=tuple(message.allowed_batch_sizes)
    )
    _refuse_impossible(batching)
    return batching


def _refuse_impossible(batching: Batching) -> None:
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
        if getattr(batching, name) < 1:
            raise ConfigError(f"{name} must be 1 or more.")
    if batching.batch_timeout_micros < 0:
        raise ConfigError("batch_timeout_micros must not be negative.")
    sizes = batching.allowed_batch_sizes
    if sizes and (
        list(sizes) != sorted(set(sizes))
        or sizes[0] < 1
        or sizes[-1] != batching.max_batch_size
    ):
        raise ConfigError(
            f"allowed_batch_sizes are {list(sizes)}; they must grow, and the last must"
            f" be max_batch_size, {batching.max_batch_size}."
        )


def parse_metrics_path(text: str) -> str | None:
    """The path of the page with metrics in a monitoring file; None if it has none."""
    message = _parse(text, _MonitoringConfig(), "MonitoringConfig")
    if not message.prometheus_config.enable:
        return None
    return message.prometheus_config.path or METRICS_PATH


def _parse(text: str, message: Any, name: str) -> Any:
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        raise ConfigError(
            f"Error parsing text-format tensorflow.serving.{name}: {error}"
        ) from error
