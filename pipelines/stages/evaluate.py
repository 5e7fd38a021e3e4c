"""Stage 6: evaluate, with every example counted once."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pipelines.calibration.reliability import PredictionScores
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.load import load_part
from pipelines.data.reference import DatasetRef
from pipelines.data.split_names import SPLIT_NAMES
from pipelines.data.splits import Split, Splits
from pipelines.display.text import PLURALS
from pipelines.errors import ConfigError, DataError
from pipelines.problems.class_reports import calibrated_scores
from pipelines.problems.protocol import Problem, Tally
from pipelines.problems.registry import make, problem_of
from pipelines.report.answer_rows import rows_of_answers
from pipelines.runtime.clock import Ticker
from pipelines.serving.predictor import Predictor
from pipelines.stages.calibrate import Calibrated
from pipelines.stages.predictions import example_names, rows_of
from pipelines.stages.tables.simple_models import compare_simple
from zoo.published import columns_of

_BATCH_SIZE = 32
_PARTS = ("auto", *SPLIT_NAMES, "all")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The reports of both held-out splits, and the metric on test without a network.

    The scores are of every example, in order, where each has one class.
    `simple_models` are what `compare_simple` gives, for tables.
    """

    validation: Any
    test: Any
    baselines: Mapping[str, float]
    validation_scores: PredictionScores | None = None
    test_scores: PredictionScores | None = None
    simple_models: Mapping[str, Any] | None = None

    @property
    def reports(self) -> tuple[Any, Any]:
        """Both reports, validation first."""
        return self.validation, self.test


def evaluate_held_out(calibrated: Calibrated, splits: Splits) -> Evaluation:
    """Evaluates validation and test. Warns if the model does not beat a baseline."""
    problem = problem_of(splits)
    evaluation = evaluate_calibrated(calibrated, problem)
    baselines = problem.baselines(splits, evaluation.test)
    simple = compare_simple(splits, problem.name, evaluation.reports)
    return dataclasses.replace(evaluation, baselines=baselines, simple_models=simple)


def evaluate_calibrated(calibrated: Calibrated, problem: Problem) -> Evaluation:
    """The reports of validation and test, without baselines."""
    held_out = (calibrated.validation, calibrated.test)
    scores = [
        calibrated_scores(calibrated.calibration, of) if problem.reads_classes else None
        for of in held_out
    ]
    validation, test = (
        problem.evaluate(calibrated.calibration, outputs, scores=of_split)
        for outputs, of_split in zip(held_out, scores)
    )
    of_validation, of_test = scores
    return Evaluation(validation, test, {}, of_validation, of_test)


def _drop(rows: Iterator[Any]) -> None:
    """Takes no row."""


def evaluate_artifact(
    predictor: Predictor,
    reference: str,
    *,
    split: str,
    consume: Callable[[Iterator[Any]], object] = _drop,
) -> Any:
    """The report of an artifact on data, every example counted once.

    `split` is `train`, `validation`, `test`, `all`, or `auto`: the test split of the
    data that it was trained on, and all of any other data. `consume` takes the rows of
    all examples, in order, while they are predicted.

    Raises:
        ConfigError: for another split.
        DataError: if the data have a class that the artifact does not know, or labels
            of another kind.
    """
    if split not in _PARTS:
        raise ConfigError(f"split is '{split}'; allowed: {', '.join(_PARTS)}.")
    manifest, ref = predictor.artifact.manifest, DatasetRef.parse(reference)
    try:
        part, names = load_part(
            ref,
            split,
            trained_on=manifest.fingerprints,
            problem=manifest.problem,
            columns=columns_of(manifest.preprocessing.get("columns") or ()),
        )
    except DataError as error:
        raise _without_config(error, manifest.problem) from error
    _require_modality(predictor, part.inputs.modality, reference)
    problem = make(manifest.problem, manifest.class_names, part.labels)
    labels, tally = problem.aligned(part.labels, names), problem.tally()
    rows = _answered(predictor, part, labels, example_names(part, ref), tally, problem)
    consume(rows)
    collections.deque(rows, maxlen=0)  # what was not consumed is counted too
    return tally.report(part.name)


# The end of a sentence, as in "; for names, config.problem='single_label' fits."
_ADVICE = re.compile(r"(; for [^,;]*)?, (and )?config\.problem='\w+' fits")


def _without_config(error: DataError, problem: str) -> DataError:
    """The same error, without advice to change the config: an artifact has its kind."""
    sentences = re.split(r"(?<=\.) ", _ADVICE.sub("", str(error)))
    kept = [sentence for sentence in sentences if "config.problem" not in sentence]
    if "config.problem" not in str(error):
        return error
    fault = " ".join(kept)
    return DataError(
        f"{fault} The artifact answers {problem!r}: name data with labels of this kind."
    )


def _answered(
    predictor: Predictor,
    part: Split,
    labels: np.ndarray,
    names: Iterator[str],
    tally: Tally,
    problem: Problem,
) -> Iterator[Any]:
    """The rows of a split, predicted batch by batch; counts them."""
    manifest = predictor.artifact.manifest
    inputs = batches(
        part,
        input_size_px=manifest.preprocessing.get("input_size_px"),
        batch_size=_BATCH_SIZE,
    )
    done, tick = 0, Ticker("evaluate", len(part))
    weights = part.relative_weights
    with broken_files_named(part):
        for batch, _ in inputs:
            outputs = predictor.outputs(batch.numpy())
            some = labels[done : done + len(outputs["valid"])]
            of_batch = slice(done, done + len(some))
            tally.add(some, outputs, None if weights is None else weights[of_batch])
            if not problem.reads_classes:
                own = itertools.islice(names, len(some))
                known = manifest.class_names
                yield from rows_of_answers(part.name, own, some, outputs, known)
            else:
                yield from rows_of(
                    part.name,
                    itertools.islice(names, len(some)),
                    labels=some,
                    predicted=[label.decode() for label in outputs["label"].tolist()],
                    probabilities=outputs["probabilities"],
                    ood_score=outputs["ood_score"],
                    accepted=outputs["accepted"],
                    class_names=manifest.class_names,
                )
            done += len(some)
            tick(done)


def _require_modality(predictor: Predictor, modality: str, reference: str) -> None:
    if modality != predictor.modality:
        raise DataError(
            f"{reference} holds {PLURALS[modality]}, but the artifact takes"
            f" {PLURALS[predictor.modality]}."
        )
