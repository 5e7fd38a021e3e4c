"""The questions that the pipeline asks about the kind of a problem.

A problem is bound to data: it knows the names of its classes, labels, grades or
targets, and what the training labels say. Labels are as in `Split`, `outputs` are what
the head gives, `[n, units]`. `weights` float32 `[n]`, where there are any, say how much
each example counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import keras
import numpy as np

from pipelines.calibration.reliability import PredictionScores
from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.planning.evidence import ProbeScore
from pipelines.probing.probe import Probe
from pipelines.serving.graph_answers import GraphAnswers
from pipelines.serving.parity import Expected


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """Float32 logits `[n, units]` and features `[n, width]`, and the labels.

    If only features were requested, there are no logits: `[0, units]`. `weights` have a
    mean of 1 over the examples; None if all count the same. `modality` is of the
    examples, where it is known.
    """

    split: str
    labels: np.ndarray
    logits: np.ndarray
    features: np.ndarray
    weights: np.ndarray | None = None
    modality: str = ""

    def counting(self) -> Outputs:
        """The outputs of the examples whose weight is above 0."""
        if self.weights is None or (self.weights > 0).all():
            return self
        rows = np.flatnonzero(self.weights > 0)
        weights = self.weights[rows]
        return dataclasses.replace(
            self,
            labels=self.labels[rows],
            logits=self.logits[rows],
            features=self.features[rows],
            weights=(weights / weights.mean(dtype=np.float64)).astype(np.float32),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """For each example `[n]`: how well it is answered, and minus its loss.

    The mean of `quality` over examples is compared from phase to phase.
    """

    quality: np.ndarray
    log_p: np.ndarray


class Report(Protocol):
    """The report of a split; a dataclass, whose fields go on record.

    `headline` are the names of the numbers that are printed first, and `recorded` the
    names of those in the manifest of an artifact.
    """

    split: str
    examples: int
    headline: ClassVar[tuple[str, ...]]
    recorded: ClassVar[tuple[str, ...]]


class Tally(Protocol):
    """Counts the answers of an artifact, batch by batch."""

    def add(
        self,
        labels: np.ndarray,
        answers: Mapping[str, np.ndarray],
        weights: np.ndarray | None = None,
    ) -> None:
        """Counts a batch: labels, outputs of the artifact by name, and weights."""

    def report(self, split: str) -> Any:
        """The report of all batches."""


class Problem(Protocol):
    """One kind of problem, for the data of a run.

    `metric` names the metric that is compared, higher is better; `epoch_metric` is its
    key in the logs of an epoch. `counts_mistakes` is true where the metric is a share
    of examples that are right, `part_name` the word for one of the `parts`,
    `reads_classes` where each example has one class, `classes_can_change` where a head
    for other classes is solved from kept features, and `trains_in_replicas` where
    several devices can share a batch; `learns_from_teacher` where each output is the
    logit of a class, which another network can teach. Where nothing `trains`, a
    detector is fitted, and no labels of training compare backbones or settings.
    """

    name: str
    metric: str
    epoch_metric: str
    counts_mistakes: bool
    trains: bool
    trains_in_replicas: bool
    learns_from_teacher: bool
    reads_classes: bool
    part_name: str
    classes_can_change: bool
    names: tuple[str, ...]

    @property
    def report_type(self) -> type:
        """The class of its reports."""

    @property
    def units(self) -> int:
        """The number of outputs of the head."""

    @property
    def size_in_words(self) -> str:
        """The number of classes, labels, grades or targets, with the word."""

    @property
    def parts(self) -> int:
        """The number of names that training examples are shared among."""

    def check_config(self, config: RunConfig) -> None:
        """Raises `ConfigError` for a field that this kind of problem does not have."""

    def calibration_config(self, config: RunConfig) -> Any:
        """The part of a config that `calibrate` takes."""

    def detector(self, config: RunConfig, modality: str) -> str:
        """The detector that is fitted; empty where the head trains."""

    def imbalance(self, choice: str, labels: np.ndarray) -> str:
        """The treatment of classes of different size; never `auto`."""

    def strata(self, labels: np.ndarray) -> np.ndarray:
        """A code for each example, `[n]`, by which examples are drawn evenly."""

    def floor(self, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
        """The metric without a network, from the shares of the labels alone."""

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

    def linear_probe(
        self,
        parts: list[np.ndarray],
        labels: np.ndarray,
        scored: ProbeScore,
        *,
        weights: np.ndarray | None = None,
    ) -> Probe:
        """The linear probe in closed form, fitted to all rows."""

    def output_layers(self, probe: Probe | None) -> list[keras.layers.Layer]:
        """The layers behind the dense one of the head; they start as the probe says."""

    def with_loss(self, number_loss: str) -> Problem:
        """The same with a loss of numbers, `huber` or `squared`; others have one."""

    def loss(self, *, soft: bool) -> keras.losses.Loss:
        """The loss of training; `soft` where images and so labels were mixed."""

    def balanced_loss(self) -> keras.losses.Loss | None:
        """The loss with all outputs of equal weight; None if examples are weighed."""

    def epoch_metrics(self) -> list[Any]:
        """The metrics of an epoch, as Keras takes them; new ones each time."""

    def smoothed(self, labels: Any, share: float) -> Any:
        """Labels of a batch with a `share` of each spread evenly over all answers.

        As tensors; labels of classes come out one-hot, float32 `[batch, classes]`.
        """

    def hard(self, labels: np.ndarray) -> np.ndarray:
        """Labels of a batch as in `Split`, also where they were one-hot."""

    def judge(self, outputs: np.ndarray, labels: np.ndarray) -> Judged:
        """How well each example is answered."""

    def least_quality(self, labels: np.ndarray) -> float:
        """The mean quality of an answer that is always the same."""

    def reached(
        self,
        outputs: np.ndarray | None,
        labels: np.ndarray,
        average: float,
        weights: np.ndarray | None = None,
    ) -> float:
        """The metric on a split; `average` is the mean quality.

        `outputs` are None where `needs_outputs` is false.
        """

    @property
    def needs_outputs(self) -> bool:
        """True if the metric needs all outputs at once, and not a mean."""

    def calibrate(
        self,
        held_out: Outputs,
        train_features: np.ndarray,
        train_labels: np.ndarray,
        *,
        calibration: Any,
    ) -> Any:
        """The calibration, from examples that trained nothing."""

    def calibration_report(self, calibrated: Any) -> dict[str, Any]:
        """The values of `calibration` in `report.json`.

        `calibrated` has the calibration, and the outputs for validation and test.
        """

    def evaluate(
        self, calibration: Any, of: Outputs, *, scores: PredictionScores | None = None
    ) -> Any:
        """The report of a split, a dataclass as `Report` says.

        `scores` are the calibrated ones of classes, if they are known.
        """

    def tally(self) -> Tally:
        """A new count of the answers of an artifact."""

    def aligned(self, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Labels of other data, in the order of the names that the problem has.

        Raises:
            DataError: if the data have names that the problem does not have.
        """

    def baselines(self, splits: Splits, report: Any) -> dict[str, float]:
        """The metric on test without a network, by name; warns where that is better."""

    def manifest(self, calibration: Any) -> dict[str, Any]:
        """The fields of a calibration in the manifest of an artifact."""

    def graph_answers(self, calibration: Any) -> GraphAnswers:
        """The answers of the artifact, in its graph."""

    def numbers(
        self, calibration: Any, outputs: np.ndarray, features: np.ndarray
    ) -> dict[str, np.ndarray]:
        """The numbers among the answers, to measure how far a model is from itself."""

    def expected(
        self, calibration: Any, outputs: np.ndarray, features: np.ndarray, unit: float
    ) -> dict[str, Expected]:
        """The answers that the signatures must give for these outputs."""

    def expected_of_examples(
        self, answers: Mapping[str, Expected]
    ) -> dict[str, Expected]:
        """The answers of the signature that takes `tf.train.Example`."""


def with_problem(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The fields of a calibration in a manifest, with the kind that they are of."""
    return {
        **manifest,
        "calibration": {"problem": name, **manifest["calibration"]},
    }
