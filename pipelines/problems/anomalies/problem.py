"""Normal examples alone: a detector in closed form says how far an example is."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import keras
import numpy as np

from pipelines.calibration.anomalies import AnomalyCalibration, calibrate_anomalies
from pipelines.calibration.reliability import PredictionScores
from pipelines.config import AUTO_BACKBONE, AnomalyConfig, RunConfig
from pipelines.data.splits import Splits
from pipelines.data.targets.choice import kind_of
from pipelines.errors import ConfigError
from pipelines.planning.detectors import AUTO, AUTOENCODER, autoencoder_name
from pipelines.planning.evidence import ProbeScore
from pipelines.probing.cells import MapDetector
from pipelines.probing.detector import Detector, fit_detector
from pipelines.probing.patches import PatchDetector
from pipelines.probing.probe import Probe
from pipelines.probing.profile import ProfileDetector
from pipelines.probing.windows import WindowDetector
from pipelines.problems.anomalies import answers, reports
from pipelines.problems.anomalies.autoencoder import AutoencoderDetector
from pipelines.problems.anomalies.map_layer import map_layer
from pipelines.problems.anomalies.patch_layer import patch_layer
from pipelines.problems.anomalies.profile_layer import profile_layer
from pipelines.problems.anomalies.reconstruction_layer import reconstruction_layer
from pipelines.problems.anomalies.reports import AnomalyReport
from pipelines.problems.anomalies.score_layer import score_layer
from pipelines.problems.anomalies.window_layer import window_layer
from pipelines.problems.protocol import Judged, Outputs, with_problem
from pipelines.problems.refusals import (
    AUTOENCODERS_ONLY,
    LABELS_ONLY,
    NUMBERS_ONLY,
    ONE_CLASS_ONLY,
    require_only,
)
from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.parity import Expected

# The area under the curve of a score that says nothing.
_GUESSING = 0.5
_ALLOWED: Mapping[str, Sequence[Any]] = {
    **ONE_CLASS_ONLY,
    **LABELS_ONLY,
    **NUMBERS_ONLY,
    "strategy": ("auto", "head_only"),
    "folds": (0,),
    "test_views": ("none",),
    "head.pooling": ("average",),
    "head.init": ("probe",),
    "head.hidden_units": ((), []),
    "head.dropout": (0.0,),
    "head.views": (0, 1),
    "head.conv_blocks": (-1, 0),
    "finetune.from_block": ("",),
    "calibration.method": ("auto", "none"),
    "export.explain": (False,),
}

_logger = logging.getLogger("zootune")


class Anomaly:
    """Normal or not, int64 `[n]`; only normal examples are trained on.

    The head gives one score for each example, and no layer of it trains.
    """

    name = "anomaly"
    metric = "auroc"
    epoch_metric = "auroc"
    counts_mistakes = False
    trains = False
    report_type = AnomalyReport
    trains_in_replicas = False
    learns_from_teacher = False
    part_name = "class"
    reads_classes = False
    classes_can_change = False
    needs_outputs = True
    units = 0
    parts = 1
    size_in_words = "one score"

    def __init__(self, names: Sequence[str], labels: np.ndarray) -> None:
        self.names = tuple(names)

    def check_config(self, config: RunConfig) -> None:
        """Raises `ConfigError` for a field that this kind of problem does not have."""
        require_only(config, self.name, _ALLOWED)
        if config.anomaly.method != AUTOENCODER:
            kind = f"{self.name} without anomaly.method={AUTOENCODER}"
            require_only(config, kind, AUTOENCODERS_ONLY)
        if config.anomaly.transfer and config.anomaly.method != AUTO:
            raise ConfigError(
                f"config.anomaly.method is {config.anomaly.method!r} beside"
                f" config.anomaly.transfer={config.anomaly.transfer!r}: a detector of"
                " another source is compared with all detectors of the data. Use"
                " method='auto', or leave transfer out."
            )
        if config.backbone == AUTO_BACKBONE:
            raise ConfigError(
                "config.backbone is 'auto', which compares backbones by labels, and"
                f" config.problem={self.name!r} trains on normal examples alone. Name a"
                " backbone, or leave it empty for the default."
            )

    def calibration_config(self, config: RunConfig) -> AnomalyConfig:
        """The part of a config that `calibrate` takes."""
        return config.anomaly

    def detector(self, config: RunConfig, modality: str) -> str:
        """The method of the detector, or `auto`.

        Raises:
            ConfigError: for tables, whose networks know nothing before they train.
        """
        if modality == "table":
            raise ConfigError(
                "config.problem is 'anomaly', and the data are a table: a detector"
                " reads what a network knows before, and one for a table begins with"
                " random weights. scikit-learn's IsolationForest finds rows that are"
                " unlike the others."
            )
        anomaly = config.anomaly
        if anomaly.method == AUTOENCODER:
            return autoencoder_name(anomaly.network, anomaly.regularizer)
        return anomaly.method

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        """The treatment of classes of different size; never `auto`."""
        return "none"

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, `[n]`, by which examples are drawn evenly."""
        return kind_of(self.name).strata(labels)

    def floor(self, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The metric without a network."""
        return _GUESSING

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
        """The same for whatever is read: normal examples alone compare nothing."""
        return ProbeScore(
            reads=reads,
            grid=grid,
            width=sum(part.shape[1] for part in parts),
            accuracy=_GUESSING,
            standard_error=0.0,
            squared_error=0.0,
            penalty=0.0,
            sharpness=1.0,
        )

    def linear_probe(
        self,
        parts: list[np.ndarray],
        labels: np.ndarray,
        scored: ProbeScore,
        *,
        weights: np.ndarray | None = None,
    ) -> Detector:
        """The detector in closed form, fitted to all rows that look normal."""
        fitted = fit_detector(parts)
        if len(fitted.left_out):
            _logger.warning(
                "%d of %d normal training examples are far from all others, and the"
                " detector was fitted without them. If they are anomalies, take them"
                " out of train, and look at the normal ones of validation too: the"
                " threshold comes from those.",
                len(fitted.left_out),
                len(labels),
            )
        return fitted

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        """The detector, which is the whole head."""
        if not isinstance(probe, Detector):
            raise ValueError("A detector is fitted before its layer is made.")
        if isinstance(probe, MapDetector):
            return [map_layer(probe)]
        if isinstance(probe, PatchDetector):
            return [patch_layer(probe)]
        if isinstance(probe, WindowDetector):
            return [window_layer(probe)]
        if isinstance(probe, ProfileDetector):
            return [profile_layer(probe)]
        if isinstance(probe, AutoencoderDetector):
            return [reconstruction_layer(probe)]
        return [score_layer(probe, probe.method)]

    def _not_trained(self) -> NoReturn:
        raise ValueError("A detector of anomalies is fitted, and nothing trains it.")

    def with_loss(self, number_loss: str) -> Anomaly:
        """The same: the loss of numbers is not one of this kind."""
        return self

    def loss(self, *, soft: bool) -> keras.losses.Loss:
        """Nothing trains."""
        self._not_trained()

    def balanced_loss(self) -> keras.losses.Loss | None:
        """Nothing trains."""
        return None

    def epoch_metrics(self) -> list[Any]:
        """Nothing trains."""
        self._not_trained()

    def smoothed(self, labels: Any, share: float) -> Any:
        """Nothing trains."""
        self._not_trained()

    def hard(self, labels: np.ndarray) -> np.ndarray:
        """Labels of a batch as in `Split`."""
        return labels

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        """Nothing trains, so that nothing is compared from phase to phase."""
        self._not_trained()

    def least_quality(self, labels: np.ndarray) -> float:
        """The metric of a score that says nothing."""
        return _GUESSING

    def reached(
        self,
        outputs: np.ndarray | None,
        labels: np.ndarray,
        average: float,
        weights: np.ndarray | None = None,
    ) -> float:
        """Nothing trains, so that nothing is compared from phase to phase."""
        self._not_trained()

    def calibrate(
        self,
        held_out: Outputs,
        train_features: np.ndarray,
        train_labels: np.ndarray,
        *,
        calibration: AnomalyConfig,
    ) -> AnomalyCalibration:
        """The calibration, from normal examples that the detector does not know."""
        return calibrate_anomalies(
            held_out.logits,
            held_out.labels,
            anomaly=calibration,
            by_step=held_out.modality == "series",
        )

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        """The values of `calibration` in `report.json`."""
        values = self.manifest(calibrated.calibration)
        splits = {
            of.split: self._rates(calibrated.calibration, of)
            for of in (calibrated.validation, calibrated.test)
        }
        return {**values["calibration"], **splits}

    def _rates(self, calibration: AnomalyCalibration, of: Outputs) -> dict[str, Any]:
        """The promised share of false alarms, and the share that was seen."""
        seen = self.evaluate(calibration, of).false_alarm_rate
        normal = int((of.labels == 0).sum())
        error = np.sqrt(calibration.promised * (1 - calibration.promised) / normal)
        return {
            "examples": len(of.labels),
            "normal": normal,
            "promised": calibration.promised,
            "false_alarm_rate": seen,
            "standard_error": float(error) if normal else None,
        }

    def evaluate(
        self,
        calibration: AnomalyCalibration,
        of: Outputs,
        *,
        scores: PredictionScores | None = None,
    ) -> AnomalyReport:
        """The report of a split, a dataclass as `Report` says."""
        given = vars(calibration.answer(of.logits, of.features))
        return reports.report(of.split, of.labels, given)

    def tally(self) -> AnomalyTally:
        """A new count of the answers of an artifact."""
        return AnomalyTally()

    def aligned(self, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Labels of other data, in the order of the names that the problem has."""
        return labels

    def baselines(self, splits: Splits, report: AnomalyReport) -> dict[str, float]:
        """The metric on test without a network, by name; warns where that is better."""
        if report.auroc is None:
            return {}
        if report.auroc <= _GUESSING:
            _logger.warning(
                "Anomalies of test have no higher scores than normal examples (auroc"
                " %.3f): the detector does not see what is strange in them. Try another"
                " config.anomaly.method or backbone.",
                report.auroc,
            )
        return {"guessing": _GUESSING}

    def manifest(self, calibration: AnomalyCalibration) -> dict[str, Any]:
        """The fields of a calibration in the manifest of an artifact."""
        return with_problem(calibration.to_manifest(), self.name)

    def graph_answers(self, calibration: AnomalyCalibration) -> GraphAnswers:
        """The answers of the artifact, in its graph."""
        return answers.graph_answers(calibration)

    def numbers(
        self,
        calibration: AnomalyCalibration,
        outputs: np.ndarray,
        features: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """The numbers among the answers, to measure how far a model is from itself."""
        return answers.numbers(calibration, outputs, features)

    def expected(
        self,
        calibration: AnomalyCalibration,
        outputs: np.ndarray,
        features: np.ndarray,
        unit: float,
    ) -> dict[str, Expected]:
        """The answers that the signatures must give for these outputs."""
        return answers.expected(calibration, outputs, features)

    def expected_of_examples(
        self, answered: Mapping[str, Expected]
    ) -> dict[str, Expected]:
        """The answers of the signature that takes `tf.train.Example`."""
        return answers.of_examples(answered)


class AnomalyTally:
    """Counts answers on anomalies."""

    def __init__(self) -> None:
        self._labels: list[np.ndarray] = []
        self._answers: list[dict[str, np.ndarray]] = []

    def add(
        self,
        labels: np.ndarray,
        answers: Mapping[str, np.ndarray],
        weights: np.ndarray | None = None,
    ) -> None:
        """Counts a batch: labels, and outputs of the artifact by name."""
        self._labels.append(labels)
        kept = ("anomaly_score", "anomalous")
        self._answers.append({name: answers[name] for name in kept})

    def report(self, split: str) -> AnomalyReport:
        """The report of all batches."""
        joined = {
            name: np.concatenate([row[name] for row in self._answers])
            for name in self._answers[0]
        }
        return reports.report(split, np.concatenate(self._labels), joined)
