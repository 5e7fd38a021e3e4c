"""The result of training, with or without folds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from pipelines.data.splits import Splits
from pipelines.planning.adaptation.evidence import Adaptation
from pipelines.planning.views import ViewChoice
from pipelines.problems.protocol import Outputs, Problem
from pipelines.stages.finetune import FitHistory
from pipelines.training.transfer_model import TransferModel


@dataclasses.dataclass(frozen=True)
class FoldScores:
    """The metric of each fold, by the head that did not see it, and of all together.

    `standard_deviation` is the spread between folds, and `examples` has their sizes.
    `chosen` is the fold, from 0, whose head the model has; None if it has the average.
    """

    count: int
    metric: str
    out_of_fold: float
    mean: float
    standard_deviation: float
    per_fold: tuple[float, ...]
    examples: tuple[int, ...]
    chosen: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """The trained model and its history; with folds, their scores and their answers.

    With `splits` the model is calibrated, evaluated and proved: where a
    network was trained for each fold, the fold that the best one did not see is their
    validation. The model has the chosen `views`, if the config asks for some.
    `out_of_fold` are the outputs for validation, of heads or networks that did not see
    the example, where they are known.

    After an `adaptation` they are of the head for the source, and `moved` gives source
    features `[rows, width]` the place that the target's have.
    """

    model: TransferModel
    history: FitHistory
    splits: Splits
    scores: FoldScores | None = None
    out_of_fold: Outputs | None = None
    views: ViewChoice | None = None
    adaptation: Adaptation | None = None
    moved: Callable[[np.ndarray], np.ndarray] | None = None


def metric_of(
    problem: Problem,
    outputs: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None,
) -> float:
    """The metric that the problem compares, of outputs for all these labels."""
    quality = problem.judge(outputs, labels).quality
    mean = float(np.average(quality, weights=weights))
    return float(problem.reached(outputs, labels, mean, weights))


def fold_scores(
    problem: Problem,
    outputs: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray | None,
    *,
    count: int,
) -> FoldScores:
    """The scores of outputs `[n, outputs]`, each by what did not see its example.

    `folds` are the fold of each example, int64 `[n]`.
    """

    def reached(rows: np.ndarray) -> float:
        own = None if weights is None else weights[rows]
        return metric_of(problem, outputs[rows], labels[rows], own)

    per_fold = [reached(folds == fold) for fold in range(count)]
    return FoldScores(
        count=count,
        metric=problem.metric,
        out_of_fold=reached(np.ones(len(labels), bool)),
        mean=float(np.mean(per_fold)),
        standard_deviation=float(np.std(per_fold, ddof=1)),
        per_fold=tuple(per_fold),
        examples=tuple(np.bincount(folds, minlength=count).tolist()),
    )
