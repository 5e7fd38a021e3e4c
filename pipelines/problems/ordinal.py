"""Grades in an order: a classifier whose head has a logit for each step."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from pipelines.calibration.calibration import Calibration
from pipelines.calibration.reliability import PredictionScores
from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.planning.evidence import ProbeScore
from pipelines.probing.probe import Probe, counting, standard_error
from pipelines.problems.binary_probe import probe_of_targets, score_targets, sharpened
from pipelines.problems.class_baselines import baselines
from pipelines.problems.class_reports import calibrated_scores
from pipelines.problems.cumulative_link import (
    CumulativeLink,
    log_probabilities,
    offsets_of,
    steps_of,
)
from pipelines.problems.grade_reports import GradeReport, quadratic_kappa, with_kappa
from pipelines.problems.protocol import Judged, Outputs, with_problem
from pipelines.problems.refusals import (
    ANOMALIES_ONLY,
    LABELS_ONLY,
    NUMBERS_ONLY,
    ONE_CLASS_ONLY,
    require_only,
)
from pipelines.problems.single_label import ClassTally, SingleLabel

_logger = logging.getLogger("zootune")


class Ordinal(SingleLabel):
    """One of several grades in an order.

    The model gives log probabilities of the grades, which are logits as of a
    classifier; so calibration, artifact and server are those of a classifier.
    """

    name = "ordinal"
    classes_can_change = False
    metric = "quadratic kappa"
    epoch_metric = "agreement"
    counts_mistakes = False
    part_name = "grade"
    report_type = GradeReport
    trains_in_replicas = False
    learns_from_teacher = False
    _noun = "grades"

    def __init__(self, names: Sequence[str], labels: np.ndarray | None = None) -> None:
        super().__init__(names)
        grades = np.arange(len(names)) if labels is None else labels
        self._offsets = offsets_of(grades, len(names))
        # The squared distance of two examples that are drawn by chance.
        self._by_chance = float(2 * grades.var()) or 1.0

    @property
    def units(self) -> int:
        """The number of outputs of the head."""
        return len(self.names) - 1

    def check_config(self, config: RunConfig) -> None:
        """Raises `ConfigError` for a field that this kind of problem does not have."""
        require_only(
            config,
            self.name,
            {**ONE_CLASS_ONLY, **LABELS_ONLY, **NUMBERS_ONLY, **ANOMALIES_ONLY},
        )

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        """The treatment of classes of different size; never `auto`."""
        return "none"

    def floor(self, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The metric without a network, from the shares of the labels alone."""
        return 0.0

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
        targets = steps_of(labels, len(self.names))

        def kappa(scores: np.ndarray) -> tuple[float, float]:
            factor, intercepts = sharpened(scores, targets, weights)
            logs = log_probabilities(factor * scores + intercepts)
            quality = self.judge(logs, labels).quality
            error = standard_error(quality, weights)
            return quadratic_kappa(labels, logs.argmax(axis=1), weights), error

        return score_targets(
            parts,
            targets,
            kappa,
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
        steps = steps_of(labels, len(self.names))
        solved = probe_of_targets(parts, steps, scored, weights=weights)
        bias = solved.bias - self._offsets.astype(np.float32)
        return dataclasses.replace(solved, bias=bias)

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        """The layers behind the dense one of the head; they start as the probe says."""
        return [CumulativeLink(self._offsets.tolist(), name="cumulative_link")]

    def balanced_loss(self) -> keras.losses.Loss | None:
        """The loss with all outputs of equal weight; None if examples are weighed."""
        return None

    def epoch_metrics(self) -> list[Any]:
        """The metrics of an epoch, as Keras takes them; new ones each time."""
        by_chance = self._by_chance

        def agreement(labels: Any, outputs: Any) -> Any:
            grades = ops.cast(labels, "float32")
            if len(labels.shape) == 2 and labels.shape[-1] == outputs.shape[-1]:
                grades = ops.cast(ops.argmax(labels, axis=-1), "float32")
            grades = ops.reshape(grades, (-1,))
            far = ops.cast(ops.argmax(outputs, axis=-1), "float32") - grades
            return 1.0 - ops.square(far) / by_chance

        return [keras.metrics.MeanMetricWrapper(agreement, name=self.epoch_metric)]

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        """How well each example is answered."""
        judged = super().judge(outputs, labels)
        far = np.square(outputs.argmax(axis=1) - labels) / self._by_chance
        finite = np.isfinite(outputs).all(axis=1)
        worst = np.square(len(self.names) - 1) / self._by_chance
        return Judged(1 - np.where(finite, far, worst), judged.log_p)

    def least_quality(self, labels: np.ndarray) -> float:
        """The mean quality of an answer that is always the same."""
        middle = np.median(labels)
        return float(1 - (np.square(labels - middle) / self._by_chance).mean())

    def evaluate(
        self,
        calibration: Calibration,
        of: Outputs,
        *,
        scores: PredictionScores | None = None,
    ) -> GradeReport:
        """The report of a split, a dataclass as `Report` says."""
        scores = scores or calibrated_scores(calibration, of)
        plain = super().evaluate(calibration, of, scores=scores)
        return with_kappa(plain, of.labels, scores.predicted, of.weights)

    def tally(self) -> GradeTally:
        """A new count of the answers of an artifact."""
        return GradeTally(self.names)

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        """The values of `calibration` in `report.json`."""
        return {"problem": self.name, **super().calibration_report(calibrated)}

    def baselines(self, splits: Splits, report: Any) -> dict[str, float]:
        """The metric on test without a network, by name; warns where that is better."""
        if report.quadratic_kappa <= 0:
            _logger.warning(
                "The quadratic kappa on test is %.3f, no better than chance: the model"
                " has learned nothing that helps there. Look at the grades, train"
                " longer (finetune.epochs), or try another backbone (`zoo rank`).",
                report.quadratic_kappa,
            )
        return baselines(splits)

    def manifest(self, calibration: Calibration) -> dict[str, Any]:
        """The fields of a calibration in the manifest of an artifact."""
        return with_problem(super().manifest(calibration), self.name)


class GradeTally(ClassTally):
    """Counts answers on grades."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names)
        self._predicted: list[np.ndarray] = []

    def add(
        self,
        labels: np.ndarray,
        answers: Mapping[str, np.ndarray],
        weights: np.ndarray | None = None,
    ) -> None:
        """Counts a batch: labels, outputs of the artifact by name, and weights."""
        super().add(labels, answers, weights)
        self._predicted.append(answers["probabilities"].argmax(axis=1))

    def report(self, split: str) -> GradeReport:
        """The report of all batches."""
        labels, predicted = (
            np.concatenate(rows) for rows in (self._labels, self._predicted)
        )
        return with_kappa(super().report(split), labels, predicted, self.weights)
