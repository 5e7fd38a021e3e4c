"""The proof of an export: every signature is asked, and must give what the model gives.

What it must give comes from the model in memory, which reads the examples as it did in
training. How far it may be off comes from the model in memory, too: asked in batches of
other sizes, without a graph, and with every weight moved to the next number that its
format has.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.data.splits import Split, first
from pipelines.problems.protocol import Problem
from pipelines.serving import parity, parity_process
from pipelines.serving.fresh_process import FreshProcess, temporary_folder_is_full
from pipelines.serving.naming import STREAM
from pipelines.serving.parity import Expected, Yardstick
from pipelines.serving.requests import long_series, requests
from pipelines.serving.signatures import DEFAULT, EXAMPLES, EXPLAIN, FEATURES
from pipelines.stages.proof.asking import ModelOutputs, asking, is_coarse
from pipelines.stages.proof.examples import (
    Sent,
    as_in_training,
    as_sent,
    as_serialized,
    bad_example,
    behind,
    names_of,
)
from pipelines.stages.proof.noise import noise_of, ood_unit, parts_of
from pipelines.stages.proof.probes import probes_of
from pipelines.training.transfer_model import TransferModel

_PARITY_EXAMPLES = 16
# Signatures that take what the model takes, which is not read from what clients send.
UNREAD = ("pixels", "table")

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
        read = as_in_training(model, some)
        probes = probes_of(
            some.inputs, read, scratch, maximum_megapixels=maximum_megapixels
        )
    except OSError as error:
        raise temporary_folder_is_full(error) from error
    read = np.concatenate([read, as_in_training(model, probes.split)])
    asked = {name: list(way.inputs) for name, way in requests(model.model).items()}
    name = asked[DEFAULT][0]
    made = [as_sent(split, name) for split in (some, probes.split)]
    sent = behind([bad_example(some, name), *made])
    names = [*names_of(some), *probes.names]
    behind_bad = ["an example that is not valid", *names]

    ask = asking(reference, calibration, read, explain=explain)
    outputs = ask(read)
    unit = ood_unit(calibration, outputs)
    yardstick = Yardstick(
        parts=parts_of(model, outputs.features),
        ood_unit=unit,
        is_coarse=is_coarse(reference),
    )
    answers = problem.expected(calibration, outputs.logits, outputs.features, unit)
    in_graph = problem.graph_answers(calibration)
    inputs = _inputs(
        asked, read, sent, explains=outputs.heat is not None, examples=in_graph.examples
    )
    expected = _expected(asked, answers, outputs, problem, examples=in_graph.examples)
    if in_graph.stream and long_series(model.model, in_graph):
        # Of the length that is trained, which is one window.
        inputs[STREAM] = inputs[DEFAULT]
        of_windows = in_graph.stream.expected(answers, read.shape[1])
        expected[STREAM] = _behind_bad(of_windows)
    return Questions(
        inputs={key: rows[:count] for key, count, rows in _by_batch_size(inputs, len)},
        expected={
            key: answer.first(count)
            for key, count, answer in _by_batch_size(expected, lambda a: len(a.values))
        },
        yardstick=dataclasses.replace(
            yardstick,
            noise=noise_of(
                reference, calibration, ask, read, outputs, yardstick, problem
            ),
            examples={
                signature: names if signature in UNREAD else behind_bad
                for signature in expected
            },
        ),
        examples=len(some),
        probes=len(probes.names),
    )


def _inputs(
    asked: Mapping[str, Sequence[str]],
    read: np.ndarray,
    raw: Sent,
    *,
    explains: bool,
    examples: str,
) -> dict[str, dict[str, np.ndarray]]:
    """The inputs of every signature; `asked` has the names of its inputs."""
    inputs: dict[str, dict[str, np.ndarray]] = {
        signature: {signature: read} if signature in UNREAD else dict(raw)
        for signature in asked
    }
    inputs[FEATURES] = inputs[DEFAULT]
    if examples:
        inputs[examples] = {EXAMPLES: as_serialized(raw)}
    return {**inputs, EXPLAIN: inputs[DEFAULT]} if explains else inputs


def _expected(
    asked: Iterable[str],
    answers: Mapping[str, Expected],
    outputs: ModelOutputs,
    problem: Problem,
    *,
    examples: str,
) -> dict[str, Mapping[str, Expected]]:
    """The outputs that every signature must give."""
    behind_bad = _behind_bad(answers)
    expected: dict[str, Mapping[str, Expected]] = {
        signature: answers if signature in UNREAD else behind_bad for signature in asked
    }
    expected[FEATURES] = _behind_bad({"features": Expected(outputs.features)})
    if examples:
        expected[examples] = problem.expected_of_examples(behind_bad)
    if outputs.heat is not None:
        expected[EXPLAIN] = _behind_bad(_explained(outputs.heat, answers))
    return expected


def _explained(
    heat: np.ndarray, answers: Mapping[str, Expected]
) -> Mapping[str, Expected]:
    """The map of the class in the answer; or of each output, which names none."""
    if heat.ndim > 3:
        return {"heat_map": Expected(heat)}
    label = answers["label"]
    return {"heat_map": Expected(heat, label.margins), "label": label}


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
