"""Heads of all folds in closed form: their answers, their average, and their spread."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import numpy as np

from pipelines.data.folds import folds_of
from pipelines.data.splits import Splits
from pipelines.features.block_vectors import parts_of
from pipelines.planning.adaptation.evidence import Adaptation
from pipelines.planning.folds import PHASE
from pipelines.planning.plan import TransferPlan
from pipelines.planning.views import ViewChoice
from pipelines.probing.probe import Probe
from pipelines.problems.protocol import Outputs, Problem
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Ticker
from pipelines.stages.finetune import FitHistory
from pipelines.stages.folds.average import averaged
from pipelines.stages.folds.out_of_fold import outputs_of
from pipelines.stages.measure import Measured
from pipelines.training.phases.result import PhaseResult
from pipelines.training.receipt import measure as measure_changes
from pipelines.training.receipt import refuse_moved, snapshot
from pipelines.training.transfer_model import TransferModel
from zoo.spec import HEAD


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

    The model has the chosen `views`, if the config asks for some. `out_of_fold` are
    the outputs for train and validation together, each by the head that did not see the
    example; without folds for validation, if the head was solved for that too.

    After an `adaptation` they are those of the head for the source, and `moved` gives
    source features `[rows, width]` the place of the target's.
    """

    model: TransferModel
    history: FitHistory
    scores: FoldScores | None = None
    out_of_fold: Outputs | None = None
    views: ViewChoice | None = None
    adaptation: Adaptation | None = None
    moved: Callable[[np.ndarray], np.ndarray] | None = None


def solve_folds(
    model: TransferModel,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    *,
    count: int,
    takes_best: bool = False,
) -> Trained:
    """Sets the head of the model to the average of the heads of all folds.

    Or to the best one, on the fold that it did not see. `splits` are pooled. Each head
    is solved on the examples of the other folds, in all their views, with the penalty
    and the sharpness that were measured on all.

    Raises:
        TrainingError: if anything frozen moved.
    """
    started, problem = time.monotonic(), problem_of(splits)
    layers = {
        **{block.name: block.layers for block in model.backbone.blocks},
        HEAD: model.head_layers,
    }
    before = snapshot(layers)
    train = splits.train
    folds = folds_of(
        train.labels, train.groups, problem=problem.name, count=count, seed=plan.seed
    )
    heads, outputs = _solved(measured, problem, folds, plan, count=count)
    whole = _required(measured.probe(plan.head))
    scores = _scores(
        problem, outputs, train.labels, folds, train.relative_weights, count=count
    )
    if takes_best:
        scores = dataclasses.replace(scores, chosen=int(np.argmax(scores.per_fold)))
    chosen = heads if scores.chosen is None else [heads[scores.chosen]]
    average = averaged(chosen, whole.standardization)
    model.logits_layer.set_weights([average.kernel, average.bias])
    changes = measure_changes(before, layers, trainable=())
    receipt = tuple(
        dataclasses.replace(change, trainable=change.block == HEAD)
        for change in changes
    )
    refuse_moved(PHASE, receipt, statistics_frozen=True)
    result = PhaseResult(
        name=PHASE,
        kept=True,
        blend=1.0,
        gain=0.0,
        gain_standard_error=0.0,
        learning_rate=0.0,
        best_epoch=0,
        accuracy_before=None,
        accuracy_after=scores.out_of_fold,
        images_per_second=measured.evidence.examples_per_second
        if measured.evidence
        else 0.0,
        seconds=time.monotonic() - started,
        epochs=(),
        receipt=receipt,
        imbalance=plan.imbalance,
        trained_parameters=average.kernel.size + average.bias.size,
        solved=True,
    )
    features = np.concatenate(parts_of(measured.validation, plan.head), axis=1)
    return Trained(
        model,
        FitHistory((result,), ()),
        scores,
        Outputs(
            splits.validation.name,
            splits.validation.labels,
            outputs,
            features.astype(np.float32),
            splits.validation.relative_weights,
        ),
    )


def _solved(
    measured: Measured,
    problem: Problem,
    folds: np.ndarray,
    plan: TransferPlan,
    *,
    count: int,
) -> tuple[list[Probe], np.ndarray]:
    """A head for each fold, and its outputs for the examples of that fold."""
    parts = parts_of(measured.validation, plan.head)
    heads: list[Probe] = []
    answers: list[np.ndarray] = []
    tick = Ticker("heads of folds", count)
    for fold in range(count):
        own = folds == fold
        others = measured.without(own)
        probe = others.probe(plan.head, balanced=plan.balances_classes)
        heads.append(_required(probe))
        some = [part[own] for part in parts]
        answers.append(outputs_of(problem, heads[-1], some, units=problem.units))
        tick(fold + 1)
    outputs = np.zeros((len(folds), answers[0].shape[1]), np.float32)
    for fold, part in enumerate(answers):
        outputs[folds == fold] = part
    return heads, outputs


def _required(probe: Probe | None) -> Probe:
    if probe is None:
        raise ValueError("Without features of all examples no head can be solved.")
    return probe


def _scores(
    problem: Problem,
    outputs: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    weights: np.ndarray | None,
    *,
    count: int,
) -> FoldScores:
    def reached(rows: np.ndarray) -> float:
        quality = problem.judge(outputs[rows], labels[rows]).quality
        own = None if weights is None else weights[rows]
        mean = float(np.average(quality, weights=own))
        return float(problem.reached(outputs[rows], labels[rows], mean, own))

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
