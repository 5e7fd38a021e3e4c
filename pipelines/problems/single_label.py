"""One class for each example: the classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.special import log_softmax

from pipelines.calibration.calibration import Calibration, calibrate, to_manifest
from pipelines.calibration.reliability import (
    PredictionScores,
    concatenated,
    score_predictions,
)
from pipelines.config import CalibrationConfig, RunConfig
from pipelines.data.input.imbalance import resolve
from pipelines.data.names import listing
from pipelines.data.spelling import normal
from pipelines.data.splits import Splits
from pipelines.errors import DataError
from pipelines.planning.evidence import ProbeScore
from pipelines.probing import probe
from pipelines.probing.probe import Probe
from pipelines.problems import class_answers, class_reports
from pipelines.problems.class_baselines import baselines, warn_where_no_better
from pipelines.problems.class_reports import EvalReport
from pipelines.problems.protocol import Judged, Outputs
from pipelines.problems.refusals import (
    ANOMALIES_ONLY,
    LABELS_ONLY,
    NUMBERS_ONLY,
    require_only,
)
from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.parity import Expected
from pipelines.serving.signatures import classifier

# Classes that an error names.
_NAMED = 20


class SingleLabel:
    """One class for each example."""

    name = "single_label"
    metric = "accuracy"
    epoch_metric = "accuracy"
    counts_mistakes = True
    trains = True
    report_type = EvalReport
    trains_in_replicas = True
    learns_from_teacher = True
    part_name = "class"
    reads_classes = True
    classes_can_change = True
    needs_outputs = False
    _noun = "classes"

    def __init__(self, names: Sequence[str], labels: np.ndarray | None = None) -> None:
        self.names = tuple(names)

    @property
    def units(self) -> int:
        """The number of outputs of the head."""
        return len(self.names)

    @property
    def parts(self) -> int:
        """The number of names that training examples are shared among."""
        return len(self.names)

    @property
    def size_in_words(self) -> str:
        """The number of classes, labels, grades or targets, with the word."""
        return f"{len(self.names)} {self._noun}"

    def check_config(self, config: RunConfig) -> None:
        """Raises `ConfigError` for a field that this kind of problem does not have."""
        require_only(
            config, self.name, {**LABELS_ONLY, **NUMBERS_ONLY, **ANOMALIES_ONLY}
        )

    def calibration_config(self, config: RunConfig) -> CalibrationConfig:
        """The part of a config that `calibrate` takes."""
        return config.calibration

    def detector(self, config: RunConfig, modality: str) -> str:
        """The detector that is fitted; empty where the head trains."""
        return ""

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        """The treatment of classes of different size; never `auto`."""
        return resolve(choice, labels, len(self.names))

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, `[n]`, by which examples are drawn evenly."""
        return labels

    def floor(self, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The metric without a network, from the shares of the labels alone."""
        if weights is None:
            return float(np.bincount(labels).max() / len(labels))
        return float(np.bincount(labels, weights).max() / weights.sum(dtype=np.float64))

    def score(
        self,
        parts: list[np.ndarray],
        labels: np.ndarray,
        *,
        groups: np.ndarray | None,
        reads: tuple[str, ...],
        grid: int,
        weights: np.ndarray | None = None,
    ) -> ProbeScore:
        """The score of a linear probe on examples left out of its fit."""
        return probe.score(
            parts, labels, groups=groups, reads=reads, grid=grid, weights=weights
        )

    def linear_probe(
        self,
        parts: list[np.ndarray],
        labels: np.ndarray,
        scored: ProbeScore,
        *,
        weights: np.ndarray | None = None,
    ) -> Probe:
        """The linear probe in closed form, fitted to all rows."""
        return probe.linear_probe(parts, labels, scored, weights=weights)

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        """The layers behind the dense one of the head; they start as the probe says."""
        return []

    def with_loss(self, number_loss: str) -> SingleLabel:
        """The same: the loss of numbers is not one of this kind."""
        return self

    def loss(self, *, soft: bool) -> keras.losses.Loss:
        """The loss of training; `soft` where images and so labels were mixed."""
        if soft:
            return keras.losses.CategoricalCrossentropy(from_logits=True)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def balanced_loss(self) -> keras.losses.Loss | None:
        """The loss with all outputs of equal weight; None if examples are weighed."""
        return None

    def epoch_metrics(self) -> list[Any]:
        """The metrics of an epoch, as Keras takes them; new ones each time."""
        return ["accuracy"]

    def smoothed(self, labels: Any, share: float) -> Any:
        """Labels of a batch with a `share` of each spread evenly over all answers."""
        classes = len(self.names)
        if len(labels.shape) == 1:
            labels = ops.one_hot(labels, classes)
        return (1.0 - share) * ops.cast(labels, "float32") + share / classes

    def hard(self, labels: np.ndarray) -> np.ndarray:
        """Labels of a batch as in `Split`, also where they were one-hot."""
        return labels.argmax(axis=1) if labels.ndim == 2 else labels

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        """How well each example is answered."""
        finite = np.isfinite(outputs).all(axis=1)
        # NaN if any logit is not finite.
        log_p = log_softmax(outputs, axis=1)[np.arange(len(labels)), labels]
        return Judged((outputs.argmax(axis=1) == labels) & finite, log_p)

    def least_quality(self, labels: np.ndarray) -> float:
        """The mean quality of an answer that is always the same."""
        return self.floor(labels)

    def reached(
        self,
        outputs: np.ndarray | None,
        labels: np.ndarray,
        average: float,
        weights: np.ndarray | None = None,
    ) -> float:
        """The metric on a split; `average` is the mean quality."""
        return average

    def calibrate(
        self,
        held_out: Outputs,
        train_features: np.ndarray,
        train_labels: np.ndarray,
        *,
        calibration: CalibrationConfig,
    ) -> Calibration:
        """The calibration, from examples that trained nothing."""
        return calibrate(
            held_out.logits,
            held_out.labels,
            held_out.features,
            train_features,
            train_labels,
            calibration=calibration,
            weights=held_out.weights,
        )

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        """The values of `calibration` in `report.json`."""
        return class_reports.calibration_report(calibrated)

    def evaluate(
        self,
        calibration: Calibration,
        of: Outputs,
        *,
        scores: PredictionScores | None = None,
    ) -> EvalReport:
        """The report of a split, a dataclass as `Report` says."""
        return class_reports.evaluate(
            of, calibration, class_names=self.names, scores=scores
        )

    def tally(self) -> ClassTally:
        """A new count of the answers of an artifact."""
        return ClassTally(self.names)

    def aligned(self, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Labels of other data, in the order of the names that the problem has."""
        # In one spelling: an artifact may be older than that.
        place = {normal(name): i for i, name in enumerate(self.names)}
        strangers = [name for name in names if name not in place]
        if strangers:
            raise DataError(
                f"The data have the {self._noun} {first(strangers)}, which the artifact"
                f" does not know. It knows {first(self.names)}."
            )
        return np.array([place[name] for name in names])[labels]

    def baselines(self, splits: Splits, report: EvalReport) -> dict[str, float]:
        """The metric on test without a network, by name; warns where that is better."""
        simple = baselines(splits)
        warn_where_no_better(report.accuracy, simple)
        return simple

    def manifest(self, calibration: Calibration) -> dict[str, Any]:
        """The fields of a calibration in the manifest of an artifact."""
        return to_manifest(calibration)

    def graph_answers(self, calibration: Calibration) -> GraphAnswers:
        """The answers of the artifact, in its graph."""
        return classifier(calibration, self.names)

    def numbers(
        self, calibration: Calibration, outputs: np.ndarray, features: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The numbers among the answers, to measure how far a model is from itself."""
        return class_answers.numbers(calibration, outputs, features)

    def expected(
        self,
        calibration: Calibration,
        outputs: np.ndarray,
        features: np.ndarray,
        unit: float,
    ) -> dict[str, Expected]:
        """The answers that the signatures must give for these outputs."""
        return class_answers.expected(
            calibration, outputs, features, self.names, unit=unit
        )

    def expected_of_examples(
        self, answers: Mapping[str, Expected]
    ) -> dict[str, Expected]:
        """The answers of the signature that takes `tf.train.Example`."""
        return class_answers.of_examples(answers["probabilities"], self.names)


class ClassTally:
    """Counts answers on classes; of each example only what a report needs is kept."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._labels: list[np.ndarray] = []
        self._scores: list[PredictionScores] = []
        self._weights: list[np.ndarray] = []

    @property
    def weights(self) -> np.ndarray | None:
        """The weights of all examples so far, where they have any."""
        return np.concatenate(self._weights) if self._weights else None

    def add(
        self,
        labels: np.ndarray,
        answers: Mapping[str, np.ndarray],
        weights: np.ndarray | None = None,
    ) -> None:
        """Counts a batch: labels, outputs of the artifact by name, and weights."""
        if weights is not None:
            self._weights.append(weights)
        # One that rounds to 0 in float32 costs what the smallest number does.
        tiny = np.finfo(np.float32).tiny
        logs = np.log(np.maximum(answers["probabilities"], tiny))
        self._labels.append(labels)
        self._scores.append(score_predictions(logs, labels))

    def report(self, split: str) -> EvalReport:
        """The report of all batches."""
        return class_reports.summarized(
            split,
            concatenated(self._scores),
            labels=np.concatenate(self._labels),
            class_names=self._names,
            weights=self.weights,
        )


def first(names: Sequence[str]) -> str:
    """The first names in brackets, for an error."""
    return f"[{listing(map(repr, names), shown=_NAMED)}]"
