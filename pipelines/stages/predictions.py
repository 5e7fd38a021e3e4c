"""The predictions that a run keeps: a row for each held-out example.

They are made of the outputs that calibration read; no example is read again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.calibration.portions import portions
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import ImageFiles, Split, Splits
from pipelines.problems.protocol import Outputs
from pipelines.problems.registry import problem_of
from pipelines.report.answer_rows import rows_of_answers
from pipelines.report.predictions import ALL_CLASSES, LARGEST, PredictionRow
from pipelines.runtime.clock import Ticker
from pipelines.stages.calibrate import Calibrated
from zoo.storage.home import expanded


def held_out_rows(calibrated: Calibrated, splits: Splits) -> Iterator[Any]:
    """The rows of validation and test, in the order of their examples.

    They are `PredictionRow` where each example has one class, and otherwise those of
    `answer_rows`.
    """
    ref, class_names = DatasetRef.parse(splits.info.reference), splits.info.class_names
    names = [example_names(part, ref) for part in (splits.validation, splits.test)]
    if problem_of(splits).reads_classes:
        yield from rows_of_held_out(calibrated, names, class_names=class_names)
        return
    for outputs, own in zip((calibrated.validation, calibrated.test), names):
        for some in portions(*outputs.logits.shape):
            labels = outputs.labels[some]
            answers = calibrated.calibration.answer(
                outputs.logits[some], outputs.features[some]
            )
            yield from rows_of_answers(
                outputs.split,
                itertools.islice(own, len(labels)),
                labels,
                vars(answers),
                class_names,
            )


def rows_of_held_out(
    calibrated: Calibrated,
    names: Sequence[Iterator[str]],
    *,
    class_names: Sequence[str],
) -> Iterator[PredictionRow]:
    """The rows of validation and test, with the names of the examples of each."""
    held_out = (calibrated.validation, calibrated.test)
    every = itertools.chain.from_iterable(
        rows_of_outputs(outputs, own, calibrated.calibration, class_names=class_names)
        for outputs, own in zip(held_out, names)
    )
    tick = Ticker("predictions", sum(len(outputs.labels) for outputs in held_out))
    for done, row in enumerate(every):
        tick(done)
        yield row


def rows_of_outputs(
    outputs: Outputs,
    names: Iterator[str],
    calibration: Any,
    *,
    class_names: Sequence[str],
) -> Iterator[PredictionRow]:
    """The rows of a split from its outputs, in the order of the `names` of examples."""
    for some in portions(*outputs.logits.shape):
        answers = calibration.answer(outputs.logits[some], outputs.features[some])
        yield from rows_of(
            outputs.split,
            itertools.islice(names, answers.labels.size),
            labels=outputs.labels[some],
            predicted=[class_names[k] for k in answers.labels],
            probabilities=answers.probabilities,
            ood_score=answers.ood_score,
            accepted=answers.accepted,
            class_names=class_names,
        )


def rows_of(
    split: str,
    names: Iterable[str],
    *,
    labels: np.ndarray,
    predicted: Sequence[str],
    probabilities: np.ndarray,
    ood_score: np.ndarray,
    accepted: np.ndarray,
    class_names: Sequence[str],
) -> Iterator[PredictionRow]:
    """The rows of some examples: arrays with a row for each, as an artifact answers.

    `probabilities` are `[n, classes]`; `predicted` are names of classes, empty where an
    example is not valid. Numbers have the precision of the artifact, float32.
    """
    # Rounded first: what is equal when it is written is in the order of the classes.
    probabilities = probabilities.astype(np.float32)
    confidence = probabilities.max(axis=1)
    for i, name in enumerate(names):
        yield PredictionRow(
            split=split,
            example=name,
            label=class_names[labels[i]],
            predicted=predicted[i],
            confidence=_float32(confidence[i]),
            accepted=bool(accepted[i]),
            ood_score=_float32(ood_score[i]),
            probabilities=_largest(probabilities[i], int(labels[i]), class_names),
        )


def example_names(part: Split, ref: DatasetRef) -> Iterator[str]:
    """The names of examples in a file of predictions.

    An image that a table names is its file, relative to the folder of the table: that
    shows more than a line. All others are as the reader of the data named them.
    """
    if ref.scheme == "csv" and isinstance(part.inputs, ImageFiles):
        folder = f"{expanded(ref.location).absolute().parent}/"
        return (path.removeprefix(folder) for path in part.inputs.paths)
    if part.names is None:
        return (f"row {i}" for i in range(len(part)))
    return iter(part.names)


def _largest(
    probabilities: np.ndarray, label: int, class_names: Sequence[str]
) -> Mapping[str, float]:
    """The probabilities that a row keeps, largest first; equal ones in class order."""
    if len(probabilities) <= ALL_CLASSES:
        kept = np.arange(len(probabilities))
    else:
        smallest = np.partition(probabilities, -LARGEST)[-LARGEST]
        above = np.flatnonzero(probabilities > smallest)
        equal = np.flatnonzero(probabilities == smallest)[: LARGEST - len(above)]
        kept = np.union1d(np.concatenate([above, equal]), [label])
    order = kept[np.argsort(-probabilities[kept], kind="stable")]
    return {class_names[k]: _float32(probabilities[k]) for k in order}


def _float32(value: float) -> float:
    """The number in the precision of an artifact, as the shortest text that is it."""
    return float(str(np.float32(value)))
