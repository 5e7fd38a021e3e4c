"""One class for each example: the classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
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
    trains_in_replicas = True
    reads_classes = True
    needs_outputs = False
    _noun = "classes"

    def __init__(self, names: Sequence[str], labels: np.ndarray | None = None) -> None:
        self.names = tuple(names)

    @property
    def units(self) -> int:
        return len(self.names)

    @property
    def parts(self) -> int:
        return len(self.names)

    @property
    def size_in_words(self) -> str:
        return f"{len(self.names)} {self._noun}"

    def check_config(self, config: RunConfig) -> None:
        """A classifier has every field."""

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        return resolve(choice, labels, len(self.names))

    def strata(self, labels: np.ndarray) -> np.ndarray:
        return labels

    def floor(self, labels: np.ndarray) -> float:
        return float(np.bincount(labels).max() / len(labels))

    def score(
        self,
        parts: list[np.ndarray],
        labels: np.ndarray,
        *,
        groups: np.ndarray | None,
        reads: tuple[str, ...],
        grid: int,
    ) -> ProbeScore:
        return probe.score(parts, labels, groups=groups, reads=reads, grid=grid)

    def linear_probe(
        self, parts: list[np.ndarray], labels: np.ndarray, scored: ProbeScore
    ) -> Probe:
        return probe.linear_probe(parts, labels, scored)

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        return []

    def loss(self, *, soft: bool) -> keras.losses.Loss:
        if soft:
            return keras.losses.CategoricalCrossentropy(from_logits=True)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def epoch_metrics(self) -> list[Any]:
        return ["accuracy"]

    def hard(self, labels: np.ndarray) -> np.ndarray:
        return labels.argmax(axis=1) if labels.ndim == 2 else labels

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        finite = np.isfinite(outputs).all(axis=1)
        # NaN if any logit is not finite.
        log_p = log_softmax(outputs, axis=1)[np.arange(len(labels)), labels]
        return Judged((outputs.argmax(axis=1) == labels) & finite, log_p)

    def least_quality(self, labels: np.ndarray) -> float:
        return self.floor(labels)

    def reached(
        self, outputs: np.ndarray | None, labels: np.ndarray, average: float
    ) -> float:
        return average

    def calibrate(
        self,
        held_out: Outputs,
        train_features: np.ndarray,
        train_labels: np.ndarray,
        *,
        calibration: CalibrationConfig,
    ) -> Calibration:
        return calibrate(
            held_out.logits,
            held_out.labels,
            held_out.features,
            train_features,
            train_labels,
            calibration=calibration,
        )

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        return class_reports.calibration_report(calibrated)

    def evaluate(
        self,
        calibration: Calibration,
        of: Outputs,
        *,
        scores: PredictionScores | None = None,
    ) -> EvalReport:
        return class_reports.evaluate(
            of, calibration, class_names=self.names, scores=scores
        )

    def tally(self) -> ClassTally:
        return ClassTally(self.names)

    def aligned(self, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
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
        simple = baselines(splits)
        warn_where_no_better(report.accuracy, simple)
        return simple

    def manifest(self, calibration: Calibration) -> dict[str, Any]:
        return to_manifest(calibration)

    def graph_answers(self, calibration: Calibration) -> GraphAnswers:
        return classifier(calibration, self.names)

    def numbers(
        self, calibration: Calibration, outputs: np.ndarray, features: np.ndarray
    ) -> dict[str, np.ndarray]:
        return class_answers.numbers(calibration, outputs, features)

    def expected(
        self,
        calibration: Calibration,
        outputs: np.ndarray,
        features: np.ndarray,
        unit: float,
    ) -> dict[str, Expected]:
        return class_answers.expected(
            calibration, outputs, features, self.names, unit=unit
        )

    def expected_of_examples(
        self, answers: Mapping[str, Expected]
    ) -> dict[str, Expected]:
        return class_answers.of_examples(answers["probabilities"], self.names)


class ClassTally:
    """Counts answers on classes; of each example only what a report needs is kept."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._labels: list[np.ndarray] = []
        self._scores: list[PredictionScores] = []

    def add(self, labels: np.ndarray, answers: Mapping[str, np.ndarray]) -> None:
        # One that rounds to 0 in float32 costs what the smallest number does.
        tiny = np.finfo(np.float32).tiny
        logs = np.log(np.maximum(answers["probabilities"], tiny))
        self._labels.append(labels)
        self._scores.append(score_predictions(logs, labels))

    def report(self, split: str) -> EvalReport:
        return class_reports.summarized(
            split,
            concatenated(self._scores),
            labels=np.concatenate(self._labels),
            class_names=self._names,
        )


def first(names: Sequence[str]) -> str:
    """The first names in brackets, for an error."""
    return f"[{listing(map(repr, names), shown=_NAMED)}]"
