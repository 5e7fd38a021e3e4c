"""Heads of all folds in closed form: their answers, their average, and their spread."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from pipelines.data.folds import folds_of
from pipelines.data.splits import Splits
from pipelines.features.block_vectors import parts_of
from pipelines.planning.folds import PHASE
from pipelines.planning.plan import TransferPlan
from pipelines.probing.probe import Probe
from pipelines.problems.protocol import Outputs, Problem
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Ticker
from pipelines.stages.finetune import FitHistory
from pipelines.stages.folds.average import averaged
from pipelines.stages.folds.out_of_fold import outputs_of
from pipelines.stages.folds.result import FoldScores, Trained, fold_scores
from pipelines.stages.measure import Measured
from pipelines.training.phases.result import PhaseResult
from pipelines.training.receipt import WeightChange, refuse_moved, snapshot
from pipelines.training.receipt import measure as measure_changes
from pipelines.training.transfer_model import TransferModel
from zoo.spec import HEAD


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
    started, problem, train = time.monotonic(), problem_of(splits), splits.train
    folds = folds_of(
        train.labels, train.groups, problem=problem.name, count=count, seed=plan.seed
    )
    heads, outputs = _solved(measured, problem, folds, plan, count=count)
    scores = fold_scores(
        problem, outputs, train.labels, folds, train.relative_weights, count=count
    )
    if takes_best:
        scores = dataclasses.replace(scores, chosen=int(np.argmax(scores.per_fold)))
    chosen = heads if scores.chosen is None else [heads[scores.chosen]]
    whole = _required(measured.probe(plan.head))
    head = averaged(chosen, whole.standardization)
    result = _phase(_set_head(model, head), head, scores, measured, plan, started)
    features = np.concatenate(parts_of(measured.validation, plan.head), axis=1)
    of_validation = Outputs(
        splits.validation.name,
        splits.validation.labels,
        outputs,
        features.astype(np.float32),
        splits.validation.relative_weights,
    )
    return Trained(model, FitHistory((result,), ()), splits, scores, of_validation)


def _set_head(model: TransferModel, head: Probe) -> tuple[WeightChange, ...]:
    """Gives the model a head, and the receipt that nothing else moved."""
    layers = model.layers_by_block
    before = snapshot(layers)
    model.logits_layer.set_weights([head.kernel, head.bias])
    receipt = measure_changes(before, layers, trainable=(HEAD,))
    refuse_moved(PHASE, receipt, statistics_frozen=True)
    return receipt


def _phase(
    receipt: tuple[WeightChange, ...],
    head: Probe,
    scores: FoldScores,
    measured: Measured,
    plan: TransferPlan,
    started: float,
) -> PhaseResult:
    """The result of the phase that began at `started` and solved the heads."""
    evidence = measured.evidence
    return PhaseResult(
        name=PHASE,
        kept=True,
        blend=1.0,
        gain=0.0,
        gain_standard_error=0.0,
        learning_rate=0.0,
        best_epoch=0,
        accuracy_before=None,
        accuracy_after=scores.out_of_fold,
        images_per_second=evidence.examples_per_second if evidence else 0.0,
        seconds=time.monotonic() - started,
        epochs=(),
        receipt=receipt,
        imbalance=plan.imbalance,
        trained_parameters=head.kernel.size + head.bias.size,
        solved=True,
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
