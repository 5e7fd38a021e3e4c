"""The file of requests that a server runs before it lets clients ask a version.

TensorFlow Serving's messages are described here, because the package that has them
brings the whole of TensorFlow, and an export should not need it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from pipelines.data.sounds.wave_file import wave_bytes
from pipelines.serving.signatures import CLASSIFY, DEFAULT, EXAMPLES, EXPLAIN, FEATURES

FILE = "assets.extra/tf_serving_warmup_requests"
_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "zootune.warm_up"
_SIDE_PX = 64
_RATE_HZ = 11_025
# A lone request, and a batch.
_ROWS = (1, 4)

Asked = tuple[str, Mapping[str, np.ndarray]]


def requests(
    ways: Mapping[str, Mapping[str, tf.TensorSpec]],
    *,
    explain: bool,
    examples: str = CLASSIFY,
) -> list[Asked]:
    """Requests for every signature, of nobody's data: grey, zeros, and a word.

    `ways` are the inputs by name of the signatures that give predictions; with
    `explain` there is one more that takes what the default one takes. The signature
    `examples` takes `tf.train.Example`; it may have no name.
    """
    asked = {
        name: {key: _made_up(spec) for key, spec in specs.items()}
        for name, specs in ways.items()
    }
    as_examples = examples_of(asked[DEFAULT])
    asked[FEATURES] = asked[DEFAULT]
    if explain:
        asked[EXPLAIN] = asked[DEFAULT]
    if examples:
        asked[examples] = {EXAMPLES: np.array(as_examples, object)}
    return [
        (name, {key: value[:rows] for key, value in inputs.items()})
        for name, inputs in asked.items()
        for rows in _ROWS
    ]


def _made_up(spec: tf.TensorSpec) -> np.ndarray:
    rows = max(_ROWS)
    if spec.name == "image_bytes":
        grey = tf.fill([_SIDE_PX, _SIDE_PX, 3], tf.constant(128, tf.uint8))
        kinds = [tf.io.encode_jpeg(grey).numpy(), tf.io.encode_png(grey).numpy()]
        return np.array([kinds[i % 2] for i in range(rows)], object)
    if spec.name == "sound_bytes":
        second = np.zeros(_RATE_HZ)
        return np.array([wave_bytes(second, _RATE_HZ)] * rows, object)
    if spec.dtype == tf.string:
        return np.array([b"word"] * rows, object)
    shape = [size or _SIDE_PX for size in spec.shape[1:]]
    return np.zeros([rows, *shape], spec.dtype.as_numpy_dtype)


def examples_of(columns: Mapping[str, np.ndarray]) -> list[bytes]:
    """Serialized `tf.train.Example` of each row, with a feature for each column."""
    return [
        example_of(dict(zip(columns, row)))
        for row in zip(*columns.values(), strict=True)
    ]


def example_of(values: Mapping[str, bytes | np.ndarray]) -> bytes:
    """A serialized `tf.train.Example`; a feature is bytes, or numbers in a row."""
    example = tf.train.Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        else:
            feature.float_list.value.extend(np.asarray(value).ravel())
    return example.SerializeToString()


def write(folder: Path, asked: Sequence[Asked]) -> None:
    """Writes one `PredictionLog` for each request into a version's folder."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in asked:
            log = _PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = signature
            for name, array in inputs.items():
                proto = tf.make_tensor_proto(array)
                request.inputs[name] = proto.SerializeToString()
            writer.write(log.SerializeToString())


def _describe() -> descriptor_pb2.FileDescriptorProto:
    """The messages, as far as a request for predictions needs them.

    Names and numbers are those of tensorflow_serving/apis; a field of bytes is on the
    wire what a field with a message is, so tensors need no description.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="warm_up", package=_PACKAGE, syntax="proto3"
    )

    def message(name: str, field: str, number: int, kind: str = "") -> None:
        added = file.message_type.add(name=name).field.add(name=field, number=number)
        added.label = _FIELD.LABEL_OPTIONAL
        added.type = _FIELD.TYPE_MESSAGE if kind else _FIELD.TYPE_STRING
        if kind:
            added.type_name = f".{_PACKAGE}.{kind}"

    message("ModelSpec", "signature_name", 3)
    message("PredictRequest", "model_spec", 1, "ModelSpec")
    predict = file.message_type[-1]
    entries = f".{_PACKAGE}.PredictRequest.InputsEntry"
    inputs = predict.field.add(name="inputs", number=2, type_name=entries)
    inputs.label, inputs.type = _FIELD.LABEL_REPEATED, _FIELD.TYPE_MESSAGE
    entry = predict.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    for name, number, kind in (
        ("key", 1, _FIELD.TYPE_STRING),
        ("value", 2, _FIELD.TYPE_BYTES),
    ):
        added = entry.field.add(name=name, number=number, type=kind)
        added.label = _FIELD.LABEL_OPTIONAL
    message("PredictLog", "request", 1, "PredictRequest")
    message("PredictionLog", "predict_log", 6, "PredictLog")
    return file


def _message_class(file: descriptor_pb2.FileDescriptorProto, name: str) -> type:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{file.package}.{name}")
    )


_PredictionLog = _message_class(_describe(), "PredictionLog")
