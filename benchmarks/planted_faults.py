"""Exports with one fault each, made and asked in this process.

Each is a mistake that an export could make and that looks like a healthy one: it loads,
it runs, and its answers are plausible. The comparison must refuse every one.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from pipelines.calibration.calibration import Calibration
from pipelines.data.images import decode, jpeg_header
from pipelines.problems.single_label import SingleLabel
from pipelines.serving import parity, requests
from pipelines.serving import signatures as served_signatures
from pipelines.stages import export
from pipelines.stages.prove import Questions, questions
from pipelines.training.transfer_model import TransferModel
from zoo.graph import folding
from zoo.graph.preprocessing import PixelNormalization

# What is compared here, at the largest batch. Decoding takes most of the time of
# tracing, so only faults of reading are looked for behind it.
ALL = ("serving_default", "pixels", "features")
_READING = ("features",)
_ANSWERS = ("pixels",)

Rewire = Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A trained model, and what an export of it is asked and must give."""

    model: TransferModel
    calibration: Calibration
    class_names: tuple[str, ...]
    asked: Questions


def subject_of(
    model: TransferModel,
    calibration: Calibration,
    examples: Any,
    class_names: Sequence[str],
    scratch: Path,
) -> Subject:
    asked = questions(
        model,
        export._in_memory(model),
        calibration,
        examples,
        scratch,
        problem=SingleLabel(class_names),
        maximum_megapixels=10.0,
        explain=False,
    )
    return Subject(model, calibration, tuple(class_names), asked)


def margin(subject: Subject, actual: Mapping[str, np.ndarray]) -> float:
    """The largest difference as a multiple of what is allowed; infinite if certain."""
    expected = {key: subject.asked.expected[key] for key in actual}
    return max(
        parity._finding(key, output, actual[key], subject.asked.yardstick).share
        for key, output in expected.items()
    )


def compare(subject: Subject, actual: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The record of the comparison, or the error of a refusal."""
    expected = {key: subject.asked.expected[key] for key in actual}
    return parity.compare(expected, actual, subject.asked.yardstick)


def answers(
    subject: Subject,
    *,
    rewire: Callable[[keras.Model], keras.Model] = lambda network: network,
    calibration: Calibration | None = None,
    class_names: Sequence[str] | None = None,
    signatures: Sequence[str] = _ANSWERS,
) -> dict[str, np.ndarray]:
    """The answers of an export, made as exports are made, with these changes."""
    network = rewire(export._served(subject.model, explain=False))
    functions = served_signatures.signatures(
        keras.Model(network.input, network.outputs[:2]),
        class_names=class_names or subject.class_names,
        calibration=calibration or subject.calibration,
        maximum_megapixels=10.0,
    )
    outputs = {}
    for key, signature, name in _largest(subject.asked.inputs):
        if signature in functions and signature in signatures:
            inputs = subject.asked.inputs[key]
            is_text = inputs.dtype == object
            inputs = tf.constant(list(inputs), tf.string) if is_text else inputs
            for output, value in functions[signature]({name: inputs}).items():
                where = f"{signature}/{key.split('/')[1]}/{output}"
                outputs[where] = value.numpy()
    return outputs


def features_of(subject: Subject) -> dict[str, np.ndarray]:
    """The feature vectors of an export, without the decoding before them."""
    network = export._served(subject.model, explain=False)
    (pixels,) = (
        subject.asked.inputs[key]
        for key, signature, _ in _largest(subject.asked.inputs)
        if signature == "pixels"
    )
    run = tf.function(lambda x: served_signatures.run_on_batch(network, x)[1])
    features = run(tf.constant(pixels)).numpy()
    behind_bad = np.concatenate([np.zeros_like(features[:1]), features])
    return {f"features/{len(behind_bad)}/features": behind_bad}


def _largest(inputs: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str, str]]:
    most: dict[str, int] = {}
    for key in inputs:
        signature, count, _ = key.split("/")
        most[signature] = max(most.get(signature, 0), int(count))
    for key in inputs:
        signature, count, name = key.split("/")
        if int(count) == most[signature]:
            yield key, signature, name


def _rewired(call: Rewire) -> Callable[[keras.Model], keras.Model]:
    """The same network, whose layers are all called by `call(layer, *inputs)`."""

    def rewire(network: keras.Model) -> keras.Model:
        return keras.models.clone_model(
            network, clone_function=lambda layer: layer, call_function=call
        )

    return rewire


def _normalizing(**other: Any) -> Callable[[keras.Model], keras.Model]:
    """Pixels normalized by other numbers, or in another order."""

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, PixelNormalization):
            layer = PixelNormalization.from_config(
                {**layer.get_config(), **other, "name": "planted"}
            )
        return layer(*inputs, **options)

    return _rewired(call)


def _before(change: Callable[[Any], Any]) -> Callable[[keras.Model], keras.Model]:
    """Pixels that are changed before anything is done with them."""

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if isinstance(layer, PixelNormalization):
            inputs = (change(inputs[0]), *inputs[1:])
        return layer(*inputs, **options)

    return _rewired(call)


def _std(subject: Subject) -> dict[str, Any]:
    """127.5 for 128 or the other way round: half a percent off."""
    (layer,) = [
        layer
        for layer in subject.model.backbone.model.layers
        if isinstance(layer, PixelNormalization)
    ]
    return {"std": tuple(x * 127.5 / 128 for x in layer.std)}


def _block_missing(subject: Subject) -> Callable[[keras.Model], keras.Model]:
    """The head reads zeros in place of one of its blocks."""
    names = {f"pooled_{name}" for name in list(subject.model.pooled_blocks)[:1]}

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        outputs = layer(*inputs, **options)
        return outputs * 0 if layer.name in names else outputs

    return _rewired(call)


def _by_batch() -> Callable[[keras.Model], keras.Model]:
    """The first BatchNorm normalizes by the batch, as in training."""
    seen: list[Any] = []

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        if seen or not isinstance(layer, keras.layers.BatchNormalization):
            return layer(*inputs, **options)
        seen.append(layer)
        x = inputs[0]
        axes = list(range(len(x.shape) - 1))
        mean, variance = keras.ops.moments(x, axes=axes, keepdims=True)
        x = (x - mean) * keras.ops.rsqrt(variance + layer.epsilon)
        return x * (layer.gamma if layer.scale else 1.0) + layer.beta

    return _rewired(call)


@contextlib.contextmanager
def _weights(
    network: keras.Model, change: Callable[[str, np.ndarray], np.ndarray]
) -> Iterator[None]:
    before = [(variable, np.array(variable)) for variable in network.variables]
    try:
        for variable, value in before:
            if value.dtype == np.float32:
                variable.assign(change(variable.path, value))
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


def _with_weights(
    subject: Subject, change: Callable[[str, np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    with contextlib.ExitStack() as stack:

        def rewire(network: keras.Model) -> keras.Model:
            stack.enter_context(_weights(network, change))
            return network

        return answers(subject, rewire=rewire)


def _half_of_a_kernel(subject: Subject) -> dict[str, np.ndarray]:
    done: list[str] = []

    def change(path: str, value: np.ndarray) -> np.ndarray:
        if value.ndim == 4 and not done:
            done.append(path)
            value = value.copy()
            value[..., : max(1, value.shape[-1] // 2)] = 0
        return value

    return _with_weights(subject, change)


def _unfolded_scale(subject: Subject) -> dict[str, np.ndarray]:
    """One BatchNorm is taken away, and its scale is not in the convolution."""
    scaled = folding._scaled
    done: list[Any] = []

    def unscaled(convolution: Any, norm: Any) -> Any:
        kernel, bias = scaled(convolution, norm)
        if done:
            return kernel, bias
        done.append(norm)
        return folding._kernel(convolution) * 1.0, bias

    with mock.patch.object(folding, "_scaled", unscaled):
        return answers(subject)


def _other_epsilon(subject: Subject) -> dict[str, np.ndarray]:
    """BatchNorm is folded with the epsilon of another framework."""
    scaled = folding._scaled

    def with_other(convolution: Any, norm: Any) -> Any:
        other = 1e-5 if norm.epsilon > 1e-4 else 1e-3
        with mock.patch.object(norm, "epsilon", other):
            return scaled(convolution, norm)

    with mock.patch.object(folding, "_scaled", with_other):
        return answers(subject)


def _reading(name: str, value: Any, module: Any = decode) -> Any:
    def plant(subject: Subject) -> dict[str, np.ndarray]:
        # Traced with the fault, and afterwards without it.
        requests.decoder.cache_clear()
        try:
            with mock.patch.object(module, name, value):
                return answers(subject, signatures=_READING)
        finally:
            requests.decoder.cache_clear()

    return plant


def _resized(pixels: tf.Tensor, size_px: int, **options: Any) -> tf.Tensor:
    resized = tf.image.resize(
        tf.convert_to_tensor(pixels), [size_px, size_px], **options
    )
    return tf.cast(tf.round(tf.clip_by_value(resized, 0, 255)), tf.uint8)


def _resizing(**options: Any) -> Any:
    return _reading("resize", lambda pixels, size: _resized(pixels, size, **options))


def _quick_jpeg(encoded: tf.Tensor, *, ratio: int) -> tf.Tensor:
    return tf.io.decode_jpeg(
        encoded, channels=3, ratio=ratio, dct_method="INTEGER_FAST"
    )


def _scaling(subject: Subject, **other: Any) -> Calibration:
    calibration = subject.calibration
    return dataclasses.replace(
        calibration, scaling=dataclasses.replace(calibration.scaling, **other)
    )


def _temperature(subject: Subject) -> dict[str, np.ndarray]:
    temperature = 1.1 * subject.calibration.scaling.temperature
    return answers(subject, calibration=_scaling(subject, temperature=temperature))


def _other_space(subject: Subject) -> dict[str, np.ndarray]:
    """The features of another run: distances are taken from another centre."""
    space = subject.calibration.space
    if space is None:
        raise AssertionError("The model has no space of features to take another for.")
    centre = space.centre + 0.02 * space.axes[:, 0]
    other = dataclasses.replace(space, centre=centre.astype(np.float32))
    return answers(
        subject, calibration=dataclasses.replace(subject.calibration, space=other)
    )


def _float16(_: str, value: np.ndarray) -> np.ndarray:
    return value.astype(np.float16).astype(np.float32)


def _int8(_: str, value: np.ndarray) -> np.ndarray:
    step = np.abs(value).max() / 127 or 1.0
    return (np.round(value / step) * step).astype(np.float32)


FAULTS: dict[str, Callable[[Subject], dict[str, np.ndarray]]] = {
    "images resized by the nearest pixel": _resizing(method="nearest"),
    "images resized without antialias": _resizing(method="bilinear"),
    "images resized by cubic curves": _resizing(method="bicubic", antialias=True),
    "another decoder of JPEG": _reading("_jpeg_pixels", _quick_jpeg),
    "what the camera said is ignored": _reading(
        "exif_orientation", lambda exif: tf.constant(1), jpeg_header
    ),
    "what is transparent is on black": _reading(
        "_on_white", lambda pixels: pixels[..., :3] * (pixels[..., 3:] // 255)
    ),
    "127.5 for 128": lambda subject: answers(
        subject, rewire=_normalizing(**_std(subject))
    ),
    "BGR for RGB": lambda subject: answers(
        subject, rewire=_before(lambda pixels: keras.ops.flip(pixels, axis=-1))
    ),
    "a level too bright": lambda subject: answers(
        subject, rewire=_before(lambda pixels: keras.ops.cast(pixels, "float32") + 1)
    ),
    "an unfolded scale": _unfolded_scale,
    "another epsilon": _other_epsilon,
    "a BatchNorm in training mode": lambda subject: _unfolded(subject, _by_batch()),
    "a block of the head is missing": lambda subject: answers(
        subject, rewire=_block_missing(subject)
    ),
    "half of a kernel is zeros": _half_of_a_kernel,
    "weights in float16": lambda subject: _with_weights(subject, _float16),
    "weights in 8 bits": lambda subject: _with_weights(subject, _int8),
    "a temperature that is 10 % off": _temperature,
    "classes in another order": lambda subject: answers(
        subject, class_names=subject.class_names[::-1]
    ),
    "the labels of another run": lambda subject: answers(
        subject, class_names=[f"other {name}" for name in subject.class_names]
    ),
    "the features of another run": _other_space,
}


def _unfolded(
    subject: Subject, rewire: Callable[[keras.Model], keras.Model]
) -> dict[str, np.ndarray]:
    """An export without a folded BatchNorm."""
    with mock.patch.object(export, "folded_copy", lambda network: network):
        return answers(subject, rewire=rewire)
