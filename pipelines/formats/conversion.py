"""A SavedModel as a file of LiteRT or ONNX, preprocessing inside."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.errors import ArtifactError
from pipelines.formats.targets import Target
from pipelines.serving.predictor import Predictor

# The outputs that a file may answer with; an artifact has one of them.
_OUTPUTS = ("probabilities", "values")
# The newest that tf2onnx writes; ONNX Runtime has read it since version 1.14.
_OPSET = 18
_CAUSE_CHARACTERS = 600


def convert(target: Target, predictor: Predictor, representative: np.ndarray) -> bytes:
    """The content of a file that gives probabilities, or numbers, for raw inputs.

    They are calibrated as in the artifact.

    It takes what training fed, uint8 pixels or float32 series, and has the same
    weights; integers are chosen by the activations for `representative`, `[n, ...]`.
    LiteRT takes one example at a time, because its fast kernels want fixed shapes;
    ONNX takes any number but none.

    Raises:
        ArtifactError: if the format has no word for an operation of the model.
    """
    make = _onnx if target.extra == "onnx" else _litert
    with _without_warnings():
        try:
            return make(target, predictor, representative)
        except Exception as error:  # noqa: BLE001 - converters raise anything
            cause = " ".join(str(error).split())[:_CAUSE_CHARACTERS]
            raise ArtifactError(
                f"The artifact {predictor.artifact.path} cannot be converted to"
                f" {target.name}: {type(error).__name__}: {cause}. Nothing was"
                " published; leave the format out."
            ) from error


def output_of(predictor: Predictor) -> str:
    """The output of an artifact that its files have."""
    known = predictor.graph.structured_outputs
    return next(name for name in _OUTPUTS if name in known)


def _litert(target: Target, predictor: Predictor, representative: np.ndarray) -> bytes:
    serve, spec = _serving(predictor, batch=1)
    # Without the object of the variables, the file would have no named signature.
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], predictor.saved_model
    )
    if not target.keeps_float32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target.name == "litert-float16":
        converter.target_spec.supported_types = [tf.float16]
    if target.name == "litert-int8":
        # Input and output stay as they are, so that a program can change the file.
        converter.representative_dataset = lambda: (
            [row[None]] for row in representative
        )
    return converter.convert()


def _onnx(target: Target, predictor: Predictor, representative: np.ndarray) -> bytes:
    import tf2onnx

    serve, spec = _serving(predictor, batch=None)
    model, _ = tf2onnx.convert.from_function(
        serve, input_signature=[spec], opset=_OPSET
    )
    for side in (model.graph.input, model.graph.output):
        side[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    return model.SerializeToString()


def _serving(
    predictor: Predictor, *, batch: int | None
) -> tuple[tf.types.experimental.PolymorphicFunction, tf.TensorSpec]:
    """The answers as a function of a batch, and the spec of a batch."""
    name = output_of(predictor)
    spec = predictor.trained_on
    spec = tf.TensorSpec([batch, *spec.shape[1:]], spec.dtype, name=spec.name)

    # The names of labels and the like would need strings, which a phone need not have.
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: predictor.graph(**{spec.name: inputs})[name]}

    return tf.function(serve, input_signature=[spec]), spec


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Silences warnings of converters that do not matter here; errors are raised."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx", "absl")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before):
            logger.setLevel(level)
