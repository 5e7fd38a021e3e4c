"""Stage 6: evaluate, with every example counted once."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from sklearn import metrics

from pipelines.calibration.calibration import Calibration
from pipelines.calibration.reliability import (
    PredictionScores,
    calibration_error_of,
    concatenated,
    score_predictions,
)
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.input.batches import batches
from pipelines.data.load import load_part
from pipelines.data.names import listing
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import normal
from pipelines.data.splits import Split, Splits
from pipelines.display.text import PLURALS
from pipelines.errors import DataError
from pipelines.report.predictions import PredictionRow
from pipelines.runtime.clock import Ticker
from pipelines.serving.predictor import Predictor
from pipelines.stages.baselines import baselines, warn_where_no_better
from pipelines.stages.calibrate import Calibrated, calibrated_scores
from pipelines.stages.outputs import Outputs
from pipelines.stages.predictions import example_names, rows_of

_BATCH_SIZE = 32
# Up to this number of classes the report counts every pair; of 10,000 classes that
# would be gigabytes.
MATRIX_CLASSES = 100
# Classes that an error names.
_NAMED = 20


@dataclasses.dataclass(frozen=True)
class EvalReport:
    """The quality of predictions on one split.

    With `confusion_form` "matrix", `confusion[i][j]` counts examples of class `i` that
    were taken for class `j`; of over 100 classes it is "pairs", and `confusion` has
    `(i, j, count)` for every pair that occurs. `per_class` has precision, recall, F1
    and the number of examples of each class. `balanced_accuracy` is the mean recall of
    the classes that have examples, and `calibration_error` how far confidence is from
    accuracy, in 15 bins.
    """

    split: str
    examples: int
    accuracy: float
    balanced_accuracy: float
    loss: float
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    per_class: Mapping[str, Mapping[str, float]]
    confusion_form: str = "matrix"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The reports of both held-out splits, and accuracies on test without a network.

    The scores are of every example, in order; the reports are made of them.
    """

    validation: EvalReport
    test: EvalReport
    baselines: Mapping[str, float]
    validation_scores: PredictionScores
    test_scores: PredictionScores

    @property
    def reports(self) -> tuple[EvalReport, EvalReport]:
        """Both reports, validation first."""
        return self.validation, self.test


def evaluate_held_out(calibrated: Calibrated, splits: Splits) -> Evaluation:
    """Evaluates validation and test. Warns if the model does not beat a baseline."""
    held_out = (calibrated.validation, calibrated.test)
    scores = [calibrated_scores(calibrated.calibration, of) for of in held_out]
    validation, test = (
        evaluate(
            outputs,
            calibrated.calibration,
            class_names=splits.info.class_names,
            scores=of_split,
        )
        for outputs, of_split in zip(held_out, scores)
    )
    simple = baselines(splits)
    warn_where_no_better(test.accuracy, simple)
    return Evaluation(validation, test, simple, *scores)


def evaluate(
    outputs: Outputs,
    calibration: Calibration,
    *,
    class_names: Sequence[str],
    scores: PredictionScores | None = None,
) -> EvalReport:
    """The report of what is served: the outputs of a model, calibrated.

    `scores` are the calibrated ones, if they are known.
    """
    return _summarized(
        outputs.split,
        scores or calibrated_scores(calibration, outputs),
        labels=outputs.labels,
        class_names=class_names,
    )


def summarize(
    split_name: str,
    *,
    labels: np.ndarray,
    log_probabilities: np.ndarray,
    class_names: Sequence[str],
) -> EvalReport:
    """The report for labels `[n]` and log probabilities `[n, classes]`."""
    scores = score_predictions(log_probabilities, labels)
    return _summarized(split_name, scores, labels=labels, class_names=class_names)


def _summarized(
    split_name: str,
    scores: PredictionScores,
    *,
    labels: np.ndarray,
    class_names: Sequence[str],
) -> EvalReport:
    is_right = scores.predicted == labels
    classes = range(len(class_names))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, scores.predicted, labels=list(classes), zero_division=0.0
    )
    confusion_form, confusion = _confusion(labels, scores.predicted, len(classes))
    return EvalReport(
        split=split_name,
        examples=len(labels),
        accuracy=float(is_right.mean()),
        balanced_accuracy=float(recall[support > 0].mean()),
        loss=float(scores.loss.mean()),
        calibration_error=calibration_error_of(scores.confidence, is_right),
        confusion=confusion,
        per_class={
            class_names[i]: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "examples": int(support[i]),
            }
            for i in classes
        },
        confusion_form=confusion_form,
    )


def _confusion(
    labels: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """Its form, and the counts: of many classes only those of pairs that occur."""
    numbers, counts = np.unique(
        labels.astype(np.int64) * classes + predicted, return_counts=True
    )
    if classes > MATRIX_CLASSES:
        pairs = np.stack([*np.divmod(numbers, classes), counts], axis=1)
        return "pairs", tuple(map(tuple, pairs.tolist()))
    matrix = np.zeros(classes * classes, np.int64)
    matrix[numbers] = counts
    return "matrix", tuple(map(tuple, matrix.reshape(classes, classes).tolist()))


def _drop(rows: Iterator[PredictionRow]) -> None:
    """Takes no row."""


def evaluate_artifact(
    predictor: Predictor,
    reference: str,
    *,
    split: str,
    consume: Callable[[Iterator[PredictionRow]], object] = _drop,
) -> EvalReport:
    """The report of an artifact on data, every example counted once.

    `split` is `train`, `validation`, `test`, `all`, or `auto`: the test split of the
    data that it was trained on, and all of any other data. `consume` takes the rows of
    all examples, in order, while they are predicted.

    Raises:
        DataError: if the data have a class that the artifact does not know.
    """
    manifest, ref = predictor.artifact.manifest, DatasetRef.parse(reference)
    part, class_names = load_part(
        ref, split, trained_on=manifest.data.get("fingerprint", "")
    )
    _require_modality(predictor, part.inputs.modality, reference)
    labels = _labels_of(manifest.class_names, part, class_names)
    scores: list[PredictionScores] = []
    rows = _answered(predictor, part, labels, example_names(part, ref), scores)
    consume(rows)
    collections.deque(rows, maxlen=0)  # what was not consumed is counted too
    return _summarized(
        part.name, concatenated(scores), labels=labels, class_names=manifest.class_names
    )


def _answered(
    predictor: Predictor,
    part: Split,
    labels: np.ndarray,
    names: Iterator[str],
    scores: list[PredictionScores],
) -> Iterator[PredictionRow]:
    """The rows of a split, predicted batch by batch; adds to the scores of all."""
    manifest = predictor.artifact.manifest
    inputs = batches(
        part,
        input_size_px=manifest.preprocessing.get("input_size_px"),
        batch_size=_BATCH_SIZE,
    )
    done, tick = 0, Ticker("evaluate", len(part))
    with broken_files_named(part):
        for batch, _ in inputs:
            outputs = predictor.outputs(batch.numpy())
            some = labels[done : done + len(outputs["probabilities"])]
            # One that rounds to 0 in float32 costs what the smallest number does.
            tiny = np.finfo(np.float32).tiny
            logs = np.log(np.maximum(outputs["probabilities"], tiny))
            scores.append(score_predictions(logs, some))
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


def _labels_of(
    known: Sequence[str], part: Split, class_names: Sequence[str]
) -> np.ndarray:
    """The labels of a split as indices into the classes that the artifact knows."""
    # In one spelling: an artifact may be older than that.
    place = {normal(name): i for i, name in enumerate(known)}
    strangers = [name for name in class_names if name not in place]
    if strangers:
        raise DataError(
            f"The data have the classes {_first(strangers)}, which the artifact does"
            f" not know. It knows {_first(known)}."
        )
    return np.array([place[name] for name in class_names])[part.labels]


def _first(names: Sequence[str]) -> str:
    return f"[{listing(map(repr, names), shown=_NAMED)}]"
