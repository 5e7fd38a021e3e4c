"""The proof of an export: every signature is asked, and must give what the model gives.

What it must give comes from the model in memory, which reads the examples as it did in
training. How far it may be off comes from the model in memory, too: asked in batches of
other sizes, without a graph, and with every weight moved to the next number that its
format has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipelines.data.images.encoded import encoded_bytes
from pipelines.data.input.batches import batches
from pipelines.data.splits import (
    ImageArray,
    ImageFiles,
    ImageRecords,
    Series,
    Split,
    Texts,
    first,
)
from pipelines.problems.protocol import Problem
from pipelines.serving import parity, parity_process, warm_up
from pipelines.serving.fresh_process import FreshProcess, temporary_folder_is_full
from pipelines.serving.parity import Expected, Yardstick
from pipelines.serving.signatures import (
    DEFAULT,
    EXAMPLES,
    EXPLAIN,
    FEATURES,
    explanation,
    requests,
)
from pipelines.stages.proof_examples import probes_of
from pipelines.training.transfer_model import TransferModel
from zoo.graph.blocks import layers_inside

_PARITY_EXAMPLES = 16
_NOT_AN_IMAGE = b"not an image"
_NOT_A_TEXT = b"\xff\xfe not UTF-8"
# Examples that the model in memory is asked about one by one, and by threes.
_ALONE = 4

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Questions:
    """The questions to a SavedModel, and the answers that it must give.

    Keys are `signature/batch size/name`, as in `parity`.
    """

    inputs: Mapping[str, np.ndarray]
    expected: Mapping[str, Expected]
    yardstick: Yardstick
    examples: int
    probes: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Outputs:
    """The outputs of a model: float32, with a row for each example."""

    logits: np.ndarray
    features: np.ndarray
    heat: np.ndarray | None


def prove(
    model: TransferModel,
    reference: keras.Model,
    calibration: Any,
    examples: Split,
    folder: Path,
    *,
    problem: Problem,
    maximum_megapixels: float,
    explain: bool,
    process: FreshProcess | None = None,
) -> dict[str, Any]:
    """The record of a proof: the SavedModel in `folder` gives what `reference` gives.

    `reference` is the model in memory, with logits, features and, to `explain`, the
    last map as outputs. `process` is a fresh process that was started early.

    Raises:
        ArtifactError: if it differs, or does not run in a fresh process.
    """
    try:
        scratch = tempfile.TemporaryDirectory(prefix="zootune_proof_")
    except OSError as error:
        raise temporary_folder_is_full(error) from error
    requires = model.backbone.spec.requires
    with scratch as path, process or parity_process.fresh_process() as running:
        _logger.info("  asking the trained model, to compare with")
        parity_process.prepare(running, folder, Path(path), requires=requires)
        asked = questions(
            model,
            reference,
            calibration,
            examples,
            Path(path),
            problem=problem,
            maximum_megapixels=maximum_megapixels,
            explain=explain,
        )
        _logger.info("  comparing with the SavedModel in a fresh process")
        answers = parity_process.run_in_fresh_process(
            folder,
            asked.inputs,
            Path(path),
            requires=requires,
            process=running,
        )
    record = parity.compare(asked.expected, answers, asked.yardstick)
    return {**record, "examples": asked.examples, "probes": asked.probes}


def questions(
    model: TransferModel,
    reference: keras.Model,
    calibration: Any,
    examples: Split,
    scratch: Path,
    *,
    problem: Problem,
    maximum_megapixels: float,
    explain: bool,
) -> Questions:
    """The questions: real examples, made-up ones, and one that is bad.

    Made-up images are files in `scratch`, for as long as this takes.
    """
    some = first(examples, _PARITY_EXAMPLES)
    try:
        read = _as_in_training(model, some)
        probes = probes_of(
            some.inputs, read, scratch, maximum_megapixels=maximum_megapixels
        )
    except OSError as error:
        raise temporary_folder_is_full(error) from error
    read = np.concatenate([read, _as_in_training(model, probes.split)])
    raw = np.concatenate([_bad(some), _raw(some), _raw(probes.split)])
    names = [*_names(some), *probes.names]
    behind_bad = ["an example that is not valid", *names]

    ask = _asking(reference, calibration, read, explain=explain)
    outputs = ask(read)
    unit = _ood_unit(calibration, outputs)
    yardstick = Yardstick(
        parts=_parts(model, outputs.features),
        ood_unit=unit,
        is_coarse=is_coarse(reference),
    )
    asked = {
        name: request.input.name for name, request in requests(model.model).items()
    }
    answers = problem.expected(calibration, outputs.logits, outputs.features, unit)
    of_examples = problem.graph_answers(calibration).examples
    inputs = _inputs(
        asked, read, raw, explains=outputs.heat is not None, examples=of_examples
    )
    expected = _expected(asked, answers, outputs, problem, examples=of_examples)
    return Questions(
        inputs={key: rows[:count] for key, count, rows in _by_batch_size(inputs, len)},
        expected={
            key: answer.first(count)
            for key, count, answer in _by_batch_size(expected, lambda a: len(a.values))
        },
        yardstick=dataclasses.replace(
            yardstick,
            noise=_noise(
                reference, calibration, ask, read, outputs, yardstick, problem
            ),
            examples={
                signature: names if asked.get(signature) == "pixels" else behind_bad
                for signature in expected
            },
        ),
        examples=len(some),
        probes=len(probes.names),
    )


def _inputs(
    asked: Mapping[str, str],
    read: np.ndarray,
    raw: np.ndarray,
    *,
    explains: bool,
    examples: str,
) -> dict[str, dict[str, np.ndarray]]:
    """The inputs of every signature; `asked` has the name of its input."""
    inputs = {
        signature: {name: read if name == "pixels" else raw}
        for signature, name in asked.items()
    }
    inputs[FEATURES] = inputs[DEFAULT]
    if examples:
        inputs[examples] = {EXAMPLES: _as_examples(asked[DEFAULT], raw)}
    return {**inputs, EXPLAIN: inputs[DEFAULT]} if explains else inputs


def _expected(
    asked: Mapping[str, str],
    answers: Mapping[str, Expected],
    outputs: _Outputs,
    problem: Problem,
    *,
    examples: str,
) -> dict[str, Mapping[str, Expected]]:
    """The outputs that every signature must give."""
    behind_bad = _behind_bad(answers)
    expected: dict[str, Mapping[str, Expected]] = {
        signature: answers if name == "pixels" else behind_bad
        for signature, name in asked.items()
    }
    expected[FEATURES] = _behind_bad({"features": Expected(outputs.features)})
    if examples:
        expected[examples] = problem.expected_of_examples(behind_bad)
    if outputs.heat is not None:
        heat = Expected(outputs.heat, answers["label"].margins)
        expected[EXPLAIN] = _behind_bad({"heat_map": heat, "label": answers["label"]})
    return expected


def is_coarse(network: keras.Model) -> bool:
    """True if any layer computes in float16 or bfloat16."""
    return any("float16" in layer.compute_dtype for layer in layers_inside(network))


def _asking(
    reference: keras.Model,
    calibration: Any,
    read: np.ndarray,
    *,
    explain: bool,
    in_graph: bool = True,
) -> Callable[[np.ndarray], _Outputs]:
    """A function of what the model takes: what it gives, in one graph for all sizes."""
    takes = [tf.TensorSpec([None, *read.shape[1:]], _dtype(read))]

    def run(inputs: tf.Tensor) -> Any:
        return reference(inputs, training=False)[:2]

    network = tf.function(run, input_signature=takes) if in_graph else run
    look: Callable[..., Any] | None = None
    if explain and in_graph:
        answers = keras.Model(reference.input, reference.outputs[:2])
        look = tf.function(
            explanation(answers, reference.outputs[2], calibration),
            input_signature=takes,
        )

    def ask(inputs: np.ndarray) -> _Outputs:
        batch = tf.constant(inputs, _dtype(inputs))
        logits, features = (np.asarray(tf.cast(x, tf.float32)) for x in network(batch))
        heat = look(batch)[0].numpy() if look else None
        return _Outputs(logits, features, heat)

    return ask


def _dtype(inputs: np.ndarray) -> tf.DType:
    return tf.string if inputs.dtype == object else tf.as_dtype(inputs.dtype)


def _noise(
    reference: keras.Model,
    calibration: Any,
    ask: Callable[[np.ndarray], _Outputs],
    read: np.ndarray,
    outputs: _Outputs,
    yardstick: Yardstick,
    problem: Problem,
) -> dict[str, float]:
    """The differences of the model in memory from itself, by kind of output."""
    eager = _asking(reference, calibration, read, explain=False, in_graph=False)
    variants: list[tuple[slice, _Outputs]] = [(slice(None), eager(read))]
    for i in range(min(_ALONE, len(read))):
        variants.append((slice(i, i + 1), ask(read[i : i + 1])))
    variants.append((slice(0, 3), ask(read[:3])))
    with weights_one_step_off(reference):
        variants.append((slice(None), ask(read)))
    noise: dict[str, float] = {}
    whole = _numbers(calibration, outputs, problem)
    for rows, variant in variants:
        for kind, values in _numbers(calibration, variant, problem).items():
            far = yardstick.differences(kind, whole[kind][rows], values)
            noise[kind] = max(noise.get(kind, 0.0), float(far.max()))
    return noise


@contextlib.contextmanager
def weights_one_step_off(network: keras.Model) -> Iterator[None]:
    """Every float32 weight is the number above or below it, for as long as this lasts.

    So much every way to compute them differently does, such as folding constants.
    """
    rng = np.random.default_rng(0)
    before = []
    try:
        for variable in network.variables:
            if variable.dtype == "float32":
                value = np.array(variable)
                before.append((variable, value))
                to = np.where(rng.integers(0, 2, value.shape), np.inf, -np.inf)
                variable.assign(np.nextafter(value, to.astype(np.float32)))
        yield
    finally:
        for variable, value in before:
            variable.assign(value)


def _numbers(
    calibration: Any, outputs: _Outputs, problem: Problem
) -> dict[str, np.ndarray]:
    numbers = {
        **problem.numbers(calibration, outputs.logits, outputs.features),
        "features": outputs.features,
    }
    return numbers if outputs.heat is None else {**numbers, "heat_map": outputs.heat}


def _ood_unit(calibration: Any, outputs: _Outputs) -> float:
    """The change of the score for a relative change of 1 of logits and features.

    Energy changes by no more than the logits do; a distance by no more than a unit
    vector does, times what whitening stretches it by.
    """
    units = [0.0]
    if getattr(calibration, "energy", None):
        spread = calibration.energy.largest - calibration.energy.median
        units.append(float(np.abs(outputs.logits).max()) / spread)
    if calibration.distance and calibration.space:
        space = calibration.space
        stretched = np.linalg.norm(space.whitening.astype(np.float64), 2)
        most = max(float(stretched), float(np.sqrt(space.outside_weight)))
        units.append(
            most / (calibration.distance.largest - calibration.distance.median)
        )
    return max(units) or 1.0


def _parts(model: TransferModel, features: np.ndarray) -> tuple[tuple[int, float], ...]:
    """The width of each block's part of the feature vector, and its usual norm."""
    widths = [int(part.shape[-1]) for part in model.pooled_blocks.values()] or [
        features.shape[1]
    ]
    parts = np.split(features, np.cumsum(widths)[:-1], axis=1)
    return tuple(
        (width, float(np.linalg.norm(part.astype(np.float64), axis=1).mean()))
        for width, part in zip(widths, parts)
    )


def _as_in_training(model: TransferModel, split: Split) -> np.ndarray:
    """All of a split as the model takes it."""
    size = model.backbone.input_size_px
    (whole,) = batches(split, input_size_px=size, batch_size=len(split))
    return whole[0].numpy()


def _by_batch_size(
    values: Mapping[str, Mapping[str, Any]], length: Callable[[Any], int]
) -> Iterator[tuple[str, int, Any]]:
    """Every value, for every batch size, with a key for each."""
    for signature, named in values.items():
        for name, value in named.items():
            for count in parity.batch_sizes(length(value)):
                yield f"{signature}/{count}/{name}", count, value


def _behind_bad(expected: Mapping[str, Expected]) -> dict[str, Expected]:
    """The same rows after a bad one: zeros, false, the empty label; that is certain."""

    def behind(values: np.ndarray, bad: object) -> np.ndarray:
        return np.concatenate([np.full_like(values[:1], bad), values])

    return {
        name: Expected(
            np.concatenate([np.zeros_like(answer.values[:1]), answer.values]),
            {kind: behind(margin, np.inf) for kind, margin in answer.margins.items()},
        )
        for name, answer in expected.items()
    }


def _names(split: Split) -> list[str]:
    """The names of the examples, for a report."""
    match split.inputs:
        case ImageFiles() | ImageRecords() as images:
            return [images.where(i) for i in range(len(images))]
    return [f"example {i} of the {split.name} split" for i in range(len(split))]


def _bad(split: Split) -> np.ndarray:
    """A bad example, as a client sends it."""
    match split.inputs:
        case Texts():
            return _objects([_NOT_A_TEXT])
        case Series(values):
            return np.full_like(values[:1], np.nan)
    return _objects([_NOT_AN_IMAGE])


def _raw(split: Split) -> np.ndarray:
    """All of a split, as a client sends them; strings as an array of objects."""
    match split.inputs:
        case ImageFiles() | ImageRecords() as images:
            return _objects([encoded_bytes(images, i) for i in range(len(images))])
        case ImageArray(pixels):  # as PNG, which loses nothing
            return _objects([tf.io.encode_png(image).numpy() for image in pixels])
        case Texts(values):
            return _objects(list(values))
        case Series(values):
            return values


def _as_examples(name: str, raw: np.ndarray) -> np.ndarray:
    """The same as serialized examples, for `classify`."""
    return _objects([warm_up.example_of(name, row) for row in raw])


def _objects(items: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array
