"""Stage 6: evaluate, with every example counted once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn import metrics

from pipelines.data.batches import batches
from pipelines.data.broken import broken_files_named
from pipelines.data.load import load_part
from pipelines.data.names import listing
from pipelines.data.printable import PLURALS
from pipelines.data.reference import DatasetRef
from pipelines.data.spelling import normal
from pipelines.data.splits import Split
from pipelines.errors import DataError
from pipelines.planning.calibration import Calibration
from pipelines.planning.reliability import calibration_error
from pipelines.serving.predictor import Predictor
from pipelines.stages.outputs import Outputs

_BATCH_SIZE = 32
_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class EvalReport:
    """How good predictions are on one split.

    `confusion[i][j]` counts examples of class `i` that were taken for class `j`.
    `per_class` has precision, recall, F1 and the number of examples of each class.
    `balanced_accuracy` is the mean recall of the classes that have examples, and
    `calibration_error` how far confidence is from accuracy, in 15 bins.
    """

    split: str
    examples: int
    accuracy: float
    balanced_accuracy: float
    loss: float
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    per_class: Mapping[str, Mapping[str, float]]


def evaluate(
    outputs: Outputs, calibration: Calibration, *, class_names: Sequence[str]
) -> EvalReport:
    """The report of what is served: the outputs of a model, calibrated."""
    return summarize(
        outputs.split,
        labels=outputs.labels,
        log_probabilities=calibration.scaling.log_probabilities(outputs.logits),
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
    predicted = log_probabilities.argmax(axis=1)
    classes = range(len(class_names))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=list(classes), zero_division=0.0
    )
    return EvalReport(
        split=split_name,
        examples=len(labels),
        accuracy=float((predicted == labels).mean()),
        balanced_accuracy=float(recall[support > 0].mean()),
        loss=float(-log_probabilities[np.arange(len(labels)), labels].mean()),
        calibration_error=calibration_error(np.exp(log_probabilities), labels),
        confusion=tuple(
            tuple(int(count) for count in row)
            for row in metrics.confusion_matrix(labels, predicted, labels=list(classes))
        ),
        per_class={
            class_names[i]: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "examples": int(support[i]),
            }
            for i in classes
        },
    )


def evaluate_artifact(
    predictor: Predictor, reference: str, *, split: str
) -> EvalReport:
    """The report of an artifact on data, every example counted once.

    `split` is `train`, `validation`, `test`, `all`, or `auto`: the test split of the
    data that it was trained on, and all of any other data.

    Raises:
        DataError: if the data have a class that the artifact does not know.
    """
    manifest = predictor.artifact.manifest
    part, class_names = load_part(
        DatasetRef.parse(reference), split, trained_on=manifest.data["fingerprint"]
    )
    _require_modality(predictor, part.inputs.modality, reference)
    labels = _labels_of(manifest.class_names, part, class_names)
    inputs = batches(
        part,
        input_size_px=manifest.preprocessing.get("input_size_px"),
        batch_size=_BATCH_SIZE,
    )
    with broken_files_named(part):
        probabilities = np.concatenate(
            [predictor.probabilities(batch.numpy()) for batch, _ in inputs]
        )
    return summarize(
        part.name,
        labels=labels,
        # A probability that rounds to 0 in float32 costs what the smallest number does.
        log_probabilities=np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)),
        class_names=manifest.class_names,
    )


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
    index = {normal(name): i for i, name in enumerate(known)}
    strangers = [name for name in class_names if name not in index]
    if strangers:
        raise DataError(
            f"The data have the classes {listing(map(repr, strangers), shown=_SHOWN)},"
            " which the artifact does not know. It knows"
            f" {listing(map(repr, known), shown=_SHOWN)}."
        )
    return np.array([index[name] for name in class_names])[part.labels]
