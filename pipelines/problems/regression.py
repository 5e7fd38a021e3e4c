"""Numbers for each example: targets are standardised, and the graph undoes that."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.calibration.intervals import NumberCalibration, calibrate_numbers
from pipelines.calibration.reliability import PredictionScores
from pipelines.config import CalibrationConfig, RunConfig
from pipelines.data.splits import Splits
from pipelines.data.targets.choice import kind_of
from pipelines.errors import ConfigError, DataError
from pipelines.planning.evidence import ProbeScore
from pipelines.probing import ridge
from pipelines.probing.error_sizes import fit_spread
from pipelines.probing.probe import (
    Probe,
    counting,
    require_finite,
    standard_error,
    standardization_of,
)
from pipelines.problems import number_answers, number_reports
from pipelines.problems.number_reports import NumberReport, NumberTally
from pipelines.problems.protocol import Judged, Outputs, with_problem
from pipelines.problems.refusals import (
    ANOMALIES_ONLY,
    LABELS_ONLY,
    ONE_CLASS_ONLY,
    require_only,
)
from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.parity import Expected

# As many training examples for each of these are many or few as for each class.
_PARTS = 10
# Errors beyond it, in standard deviations of a target, count as absolute ones.
_HUBER = 1.345

_logger = logging.getLogger("zootune")


class Regression:
    """One or several numbers for each example, float32 `[n, targets]`.

    The head gives standardised targets: minus their mean, over their deviation.
    """

    name = "regression"
    metric = "r2"
    epoch_metric = "r2"
    counts_mistakes = False
    trains = True
    report_type = NumberReport
    trains_in_replicas = False
    learns_from_teacher = False
    part_name = "tenth of the range"
    reads_classes = False
    classes_can_change = False
    needs_outputs = False

    def __init__(self, names: Sequence[str], labels: np.ndarray) -> None:
        self.names = tuple(names)
        self.mean = labels.mean(axis=0, dtype=np.float64)
        deviation = labels.std(axis=0, dtype=np.float64)
        self.scale = np.where(deviation > 0, deviation, 1.0)
        self.threshold = _HUBER

    @property
    def units(self) -> int:
        """The number of outputs of the head."""
        return len(self.names)

    @property
    def parts(self) -> int:
        """The number of names that training examples are shared among."""
        return _PARTS

    @property
    def size_in_words(self) -> str:
        """The number of classes, labels, grades or targets, with the word."""
        return f"{len(self.names)} targets" if len(self.names) > 1 else "one target"

    def check_config(self, config: RunConfig) -> None:
        """Raises `ConfigError` for a field that this kind of problem does not have."""
        require_only(
            config,
            self.name,
            {
                **ONE_CLASS_ONLY,
                "finetune.label_smoothing": (0.0,),
                **LABELS_ONLY,
                **ANOMALIES_ONLY,
                "calibration.method": ("auto", "none"),
            },
        )
        if config.folds and config.calibration.widths == "by_example":
            raise ConfigError(
                f"config.calibration.widths is 'by_example' and config.folds is"
                f" {config.folds}: with folds every example trains, and widths by"
                " example need some that do not. Leave one of them out."
            )

    def calibration_config(self, config: RunConfig) -> CalibrationConfig:
        """The part of a config that `calibrate` takes; with folds of one width.

        With folds the held-out examples are those of training, so that what learned
        the size of errors from these would know them.
        """
        if not config.folds:
            return config.calibration
        return dataclasses.replace(config.calibration, widths="same")

    def detector(self, config: RunConfig, modality: str) -> str:
        """The detector that is fitted; empty where the head trains."""
        return ""

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        """The treatment of classes of different size; never `auto`."""
        return "none"

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, `[n]`, by which examples are drawn evenly."""
        return kind_of(self.name).strata(labels)

    def floor(self, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The metric without a network, from the shares of the labels alone."""
        return 0.0

    def standardized(self, labels: np.ndarray) -> np.ndarray:
        """Targets as the head gives them, float64 `[n, targets]`."""
        return (labels.astype(np.float64) - self.mean) / self.scale

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
        require_finite(parts)
        if weights is not None:
            parts, weights, labels, groups = counting(parts, weights, labels, groups)
        targets = self.standardized(labels)
        features = standardization_of(parts, weights)(parts)
        fitted = ridge.fit_targets(
            features, targets, groups=groups, weights=weights, is_refined=True
        )
        errors = np.square(fitted.left_out - targets).mean(axis=1)
        mean = float(np.average(errors, weights=weights))
        return ProbeScore(
            reads=reads,
            grid=grid,
            width=len(fitted.kernel),
            accuracy=1 - mean,
            standard_error=standard_error(errors, weights),
            squared_error=mean,
            penalty=fitted.penalty,
            sharpness=1.0,
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
        standardize = standardization_of(parts, weights)
        kernel, bias = ridge.solve_targets(
            standardize(parts),
            self.standardized(labels),
            penalty=scored.penalty,
            weights=weights,
        )
        return Probe(standardize, kernel, bias)

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        """The layers behind the dense one of the head; they start as the probe says."""
        return []

    def with_loss(self, number_loss: str) -> Regression:
        """The same with a loss of numbers, `huber` or `squared`."""
        changed = copy.copy(self)
        changed.threshold = np.inf if number_loss == "squared" else _HUBER
        return changed

    def loss(self, *, soft: bool) -> keras.losses.Loss:
        """The loss of training; `soft` where images and so labels were mixed."""
        return StandardizedHuber(self.mean, self.scale, self.threshold)

    def balanced_loss(self) -> keras.losses.Loss | None:
        """The loss with all outputs of equal weight; None if examples are weighed."""
        return None

    def epoch_metrics(self) -> list[Any]:
        """The metrics of an epoch, as Keras takes them; new ones each time."""
        mean, scale = self.mean.astype(np.float32), self.scale.astype(np.float32)

        def explained(labels: Any, outputs: Any) -> Any:
            error = outputs - (ops.cast(labels, "float32") - mean) / scale
            return 1.0 - ops.mean(ops.square(error), axis=-1)

        return [keras.metrics.MeanMetricWrapper(explained, name=self.epoch_metric)]

    def smoothed(self, labels: Any, share: float) -> Any:
        """A number has nothing to be spread over; `check_config` refuses it."""
        raise ValueError("Numbers have no label smoothing.")

    def hard(self, labels: np.ndarray) -> np.ndarray:
        """Labels of a batch as in `Split`, also where they were one-hot."""
        return labels

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        """How well each example is answered."""
        error = np.abs(outputs - self.standardized(labels))
        near = np.minimum(error, self.threshold)
        huber = near * error - np.square(near) / 2
        return Judged(1 - np.square(error).mean(axis=1), -huber.mean(axis=1))

    def least_quality(self, labels: np.ndarray) -> float:
        """The mean quality of an answer that is always the same."""
        return float(1 - self.standardized(labels).var(axis=0).mean())

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
    ) -> NumberCalibration:
        """The calibration, from examples that trained nothing."""
        spread, why_not = None, ""
        if calibration.widths != "same":
            targets = self.standardized(train_labels)
            spread, why_not = fit_spread(train_features, targets)
        if calibration.widths == "by_example" and spread is None:
            _logger.warning("All intervals are of one width: %s", why_not)
        return calibrate_numbers(
            held_out.logits,
            held_out.labels,
            held_out.features,
            train_features,
            self.strata(train_labels),
            mean=self.mean,
            scale=self.scale,
            calibration=calibration,
            weights=held_out.weights,
            spread=spread,
        )

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        """The values of `calibration` in `report.json`."""
        values = self.manifest(calibrated.calibration)
        return {
            **values.pop("calibration"),
            **values,
            **{
                outputs.split: self._coverage(calibrated.calibration, outputs)
                for outputs in (calibrated.validation, calibrated.test)
            },
        }

    def _coverage(self, calibration: NumberCalibration, of: Outputs) -> dict[str, Any]:
        answers = calibration.answer(of.logits, of.features)
        error = np.abs(answers.values - of.labels)
        return {
            "examples": len(of.labels),
            "accepted": float(answers.accepted.mean()),
            "intervals": [
                {
                    "level": row.level,
                    "promised": row.promised,
                    "coverage": float(
                        (error <= calibration.half_widths(of.features, place)).mean()
                    ),
                }
                for place, row in enumerate(calibration.intervals)
            ],
        }

    def evaluate(
        self,
        calibration: NumberCalibration,
        of: Outputs,
        *,
        scores: PredictionScores | None = None,
    ) -> NumberReport:
        """The report of a split, a dataclass as `Report` says."""
        answers = vars(calibration.answer(of.logits, of.features))
        return number_reports.report(
            of.split, of.labels, answers, self.names, of.weights
        )

    def tally(self) -> NumberTally:
        """A new count of the answers of an artifact."""
        return NumberTally(self.names)

    def aligned(self, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Labels of other data, in the order of the names that the problem has."""
        if len(names) != len(self.names):
            raise DataError(
                f"The data have {len(names)} targets ({', '.join(names)}), and the"
                f" artifact predicts {len(self.names)} ({', '.join(self.names)})."
            )
        return labels

    def baselines(self, splits: Splits, report: NumberReport) -> dict[str, float]:
        """The metric on test without a network, by name; warns where that is better."""
        middle = np.median(splits.train.labels, axis=0)
        errors = np.abs(splits.test.labels - middle).mean(axis=1)
        error = float(np.average(errors, weights=splits.test.weights))
        if report.mean_absolute_error >= error:
            _logger.warning(
                "The mean absolute error on test is %.4g, and %.4g for always giving"
                " the median of training: the model has learned nothing that helps"
                " there. Look at the targets, train longer (finetune.epochs), or try"
                " another backbone (`zoo rank`).",
                report.mean_absolute_error,
                error,
            )
        return {"median_of_training": error}

    def manifest(self, calibration: NumberCalibration) -> dict[str, Any]:
        """The fields of a calibration in the manifest of an artifact."""
        return with_problem(calibration.to_manifest(), self.name)

    def graph_answers(self, calibration: NumberCalibration) -> GraphAnswers:
        """The answers of the artifact, in its graph."""
        return number_answers.graph_answers(calibration)

    def numbers(
        self, calibration: NumberCalibration, outputs: np.ndarray, features: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The numbers among the answers, to measure how far a model is from itself."""
        return number_answers.numbers(calibration, outputs, features)

    def expected(
        self,
        calibration: NumberCalibration,
        outputs: np.ndarray,
        features: np.ndarray,
        unit: float,
    ) -> dict[str, Expected]:
        """The answers that the signatures must give for these outputs."""
        return number_answers.expected(calibration, outputs, features, unit=unit)

    def expected_of_examples(
        self, answers: Mapping[str, Expected]
    ) -> dict[str, Expected]:
        """The answers of the signature that takes `tf.train.Example`."""
        return number_answers.of_examples(answers)


class StandardizedHuber(keras.losses.Loss):
    """The Huber loss of standardised targets, for targets in their own units.

    Errors beyond the `threshold` count by their size; with infinity none does, and all
    count by their square.
    """

    def __init__(self, mean: np.ndarray, scale: np.ndarray, threshold: float) -> None:
        super().__init__(name="standardized_huber")
        self._mean = mean.astype(np.float32)
        self._scale = scale.astype(np.float32)
        self._threshold = threshold

    def call(self, y_true: Any, y_pred: Any) -> Any:
        targets = (ops.cast(y_true, y_pred.dtype) - self._mean) / self._scale
        error = ops.abs(y_pred - targets)
        square = ops.square(error) / 2
        if np.isinf(self._threshold):
            return ops.mean(square, axis=-1)
        beyond = self._threshold * error - self._threshold**2 / 2
        return ops.mean(ops.where(error <= self._threshold, square, beyond), axis=-1)
