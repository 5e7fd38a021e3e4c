"""Any number of labels for each example: a sigmoid for each label."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from pipelines.calibration.labels import LabelCalibration, calibrate_labels
from pipelines.calibration.reliability import PredictionScores
from pipelines.config import CalibrationConfig, RunConfig
from pipelines.data.input.imbalance import label_weights
from pipelines.data.spelling import normal
from pipelines.data.splits import Splits
from pipelines.data.targets.choice import kind_of
from pipelines.errors import DataError
from pipelines.planning.evidence import ProbeScore
from pipelines.probing.probe import Probe, counting
from pipelines.problems import label_answers, label_reports
from pipelines.problems.binary_probe import probe_of_targets, score_targets
from pipelines.problems.class_answers import of_examples
from pipelines.problems.label_reports import LabelReport, mean_average_precision
from pipelines.problems.protocol import Judged, Outputs, with_problem
from pipelines.problems.refusals import (
    ANOMALIES_ONLY,
    NUMBERS_ONLY,
    ONE_CLASS_ONLY,
    require_only,
)
from pipelines.problems.single_label import first
from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.parity import Expected

_logger = logging.getLogger("zootune")


class MultiLabel:
    """Any number of labels for each example; labels are 0 or 1, `[n, labels]`."""

    name = "multi_label"
    metric = "mean average precision"
    epoch_metric = "average_precision"
    counts_mistakes = False
    trains = True
    report_type = LabelReport
    trains_in_replicas = False
    learns_from_teacher = False
    part_name = "label"
    reads_classes = False
    classes_can_change = False
    needs_outputs = True

    def __init__(self, names: Sequence[str], labels: np.ndarray | None = None) -> None:
        self.names = tuple(names)
        self._labels = labels

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
        return f"{len(self.names)} labels, any number for each example"

    def check_config(self, config: RunConfig) -> None:
        """Raises `ConfigError` for a field that this kind of problem does not have."""
        require_only(
            config,
            self.name,
            {
                **ONE_CLASS_ONLY,
                **NUMBERS_ONLY,
                **ANOMALIES_ONLY,
                "imbalance": ("none", "auto", "weights"),
                "calibration.method": ("auto", "none", "temperature"),
            },
        )

    def calibration_config(self, config: RunConfig) -> CalibrationConfig:
        """The part of a config that `calibrate` takes."""
        return config.calibration

    def detector(self, config: RunConfig, modality: str) -> str:
        """The detector that is fitted; empty where the head trains."""
        return ""

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        """The treatment of labels of different size; never `auto`."""
        return "weights" if choice == "weights" else "none"

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, `[n]`, by which examples are drawn evenly."""
        return kind_of(self.name).strata(labels)

    def floor(self, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The metric without a network, from the shares of the labels alone."""
        if weights is None:
            return float(labels.mean())
        return float(np.average(labels, axis=0, weights=weights).mean())

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
        if weights is not None:
            parts, weights, labels, groups = counting(parts, weights, labels, groups)
        return score_targets(
            parts,
            labels,
            lambda scores: mean_average_precision(scores, labels, weights),
            groups=groups,
            reads=reads,
            grid=grid,
            weights=weights,
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
        if weights is not None:
            parts, weights, labels, _ = counting(parts, weights, labels)
        return probe_of_targets(parts, labels, scored, weights=weights)

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        """The layers behind the dense one of the head; they start as the probe says."""
        return []

    def with_loss(self, number_loss: str) -> MultiLabel:
        """The same: the loss of numbers is not one of this kind."""
        return self

    def loss(self, *, soft: bool) -> keras.losses.Loss:
        """The loss of training; `soft` where images and so labels were mixed."""
        return keras.losses.BinaryCrossentropy(from_logits=True)

    def balanced_loss(self) -> keras.losses.Loss | None:
        """The loss in which rare labels count as much as frequent ones."""
        if self._labels is None:
            raise ValueError("The weights of labels need those of training.")
        return WeightedLabels(label_weights(self._labels).tolist())

    def epoch_metrics(self) -> list[Any]:
        """The metrics of an epoch, as Keras takes them; new ones each time."""
        return [
            keras.metrics.AUC(
                curve="PR",
                multi_label=True,
                num_labels=len(self.names),
                from_logits=True,
                name=self.epoch_metric,
            )
        ]

    def smoothed(self, labels: Any, share: float) -> Any:
        """Labels of a batch with a `share` of each spread evenly over yes and no."""
        return (1.0 - share) * ops.cast(labels, "float32") + share / 2

    def hard(self, labels: np.ndarray) -> np.ndarray:
        """Labels of a batch as in `Split`, also where they were one-hot."""
        return labels

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        """How well each example is answered."""
        outputs = outputs.astype(np.float64)
        with np.errstate(invalid="ignore"):  # outputs may be infinite
            loss = (np.logaddexp(0, outputs) - labels * outputs).mean(axis=1)
        return Judged(-loss, -loss)

    def least_quality(self, labels: np.ndarray) -> float:
        """The mean quality of an answer that is always the same."""
        share = np.clip(labels.mean(axis=0, dtype=np.float64), 1e-6, 1 - 1e-6)
        entropy = -(share * np.log(share) + (1 - share) * np.log1p(-share))
        return -float(entropy.mean())

    def reached(
        self,
        outputs: np.ndarray | None,
        labels: np.ndarray,
        average: float,
        weights: np.ndarray | None = None,
    ) -> float:
        """The metric on a split; `average` is the mean quality."""
        if outputs is None:
            raise ValueError("The mean average precision needs the outputs.")
        return mean_average_precision(outputs, labels, weights)[0]

    def calibrate(
        self,
        held_out: Outputs,
        train_features: np.ndarray,
        train_labels: np.ndarray,
        *,
        calibration: CalibrationConfig,
    ) -> LabelCalibration:
        """The calibration, from examples that trained nothing."""
        return calibrate_labels(
            held_out.logits,
            held_out.labels,
            held_out.features,
            train_features,
            self.strata(train_labels),
            calibration=calibration,
            weights=held_out.weights,
        )

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        """The values of `calibration` in `report.json`."""
        values = self.manifest(calibrated.calibration)
        return {
            **values.pop("calibration"),
            **values,
            **{
                outputs.split: self._accepted(calibrated.calibration, outputs)
                for outputs in (calibrated.validation, calibrated.test)
            },
        }

    def _accepted(self, calibration: LabelCalibration, of: Outputs) -> dict[str, Any]:
        answers = calibration.answer(of.logits, of.features)
        right = (answers.predicted == (of.labels > 0)).all(axis=1)
        accepted, has = answers.accepted, of.labels > 0
        missed = (has & ~answers.predicted).sum(axis=1) / np.maximum(has.sum(axis=1), 1)
        return {
            "examples": len(of.labels),
            "missed_labels": float(missed.mean()),
            "accepted": float(accepted.mean()),
            "exact_match_of_accepted": (
                float(right[accepted].mean()) if accepted.any() else None
            ),
        }

    def evaluate(
        self,
        calibration: LabelCalibration,
        of: Outputs,
        *,
        scores: PredictionScores | None = None,
    ) -> LabelReport:
        """The report of a split, a dataclass as `Report` says."""
        answers = calibration.answer(of.logits, of.features)
        return label_reports.report(
            of.split,
            of.labels,
            answers.probabilities,
            answers.predicted,
            self.names,
            of.weights,
        )

    def tally(self) -> LabelTally:
        """A new count of the answers of an artifact."""
        return LabelTally(self.names)

    def aligned(self, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Labels of other data, in the order of the names that the problem has."""
        place = {normal(name): i for i, name in enumerate(self.names)}
        strangers = [name for name in names if name not in place]
        if strangers:
            raise DataError(
                f"The data have the labels {first(strangers)}, which the artifact does"
                f" not know. It knows {first(self.names)}."
            )
        ordered = np.zeros((len(labels), len(self.names)), np.float32)
        ordered[:, [place[name] for name in names]] = labels
        return ordered

    def baselines(self, splits: Splits, report: LabelReport) -> dict[str, float]:
        """The metric on test without a network, by name; warns where that is better."""
        shares = self.floor(splits.test.labels, splits.test.weights)
        if report.mean_average_precision <= shares:
            _logger.warning(
                "The mean average precision on test is %.3f, and %.3f without looking"
                " at an example: the model has learned nothing that helps there. Look"
                " at the labels, train longer (finetune.epochs), or try another"
                " backbone (`zoo rank`).",
                report.mean_average_precision,
                shares,
            )
        return {"shares_of_labels": shares}

    def manifest(self, calibration: LabelCalibration) -> dict[str, Any]:
        """The fields of a calibration in the manifest of an artifact."""
        return with_problem(calibration.to_manifest(), self.name)

    def graph_answers(self, calibration: LabelCalibration) -> GraphAnswers:
        """The answers of the artifact, in its graph."""
        return label_answers.graph_answers(calibration, self.names)

    def numbers(
        self, calibration: LabelCalibration, outputs: np.ndarray, features: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The numbers among the answers, to measure how far a model is from itself."""
        return label_answers.numbers(calibration, outputs, features)

    def expected(
        self,
        calibration: LabelCalibration,
        outputs: np.ndarray,
        features: np.ndarray,
        unit: float,
    ) -> dict[str, Expected]:
        """The answers that the signatures must give for these outputs."""
        return label_answers.expected(
            calibration, outputs, features, self.names, unit=unit
        )

    def expected_of_examples(
        self, answers: Mapping[str, Expected]
    ) -> dict[str, Expected]:
        """The answers of the signature that takes `tf.train.Example`."""
        return of_examples(answers["probabilities"], self.names)


class WeightedLabels(keras.losses.Loss):
    """Binary cross-entropy of logits `[batch, labels]`, each label with its weight."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(name="weighted_labels")
        self._weights = np.array(weights, np.float32)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels = tf.cast(y_true, y_pred.dtype)
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=y_pred)
        return tf.reduce_mean(each * self._weights, axis=-1)


class LabelTally:
    """Counts answers on several labels."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._weights: list[np.ndarray] = []

    def add(
        self,
        labels: np.ndarray,
        answers: Mapping[str, np.ndarray],
        weights: np.ndarray | None = None,
    ) -> None:
        """Counts a batch: labels, outputs of the artifact by name, and weights."""
        if weights is not None:
            self._weights.append(weights)
        self._rows.append((labels, answers["probabilities"], answers["predicted"]))

    def report(self, split: str) -> LabelReport:
        """The report of all batches."""
        labels, probabilities, predicted = (
            np.concatenate(column) for column in zip(*self._rows)
        )
        weights = np.concatenate(self._weights) if self._weights else None
        return label_reports.report(
            split, labels, probabilities, predicted, self._names, weights
        )
