"""A network for each fold, trained on the others; the best one stays."""

from __future__ import annotations

import dataclasses
import logging
import time

import keras
import numpy as np

from pipelines.data.folds import folds_of, without_fold
from pipelines.data.input.pixel_cache import PixelCache
from pipelines.data.splits import Splits
from pipelines.planning.plan import HeadPlan, TransferPlan
from pipelines.problems.protocol import Outputs
from pipelines.problems.registry import problem_of
from pipelines.stages.finetune import FitHistory, fine_tune
from pipelines.stages.folds.result import Trained, fold_scores, metric_of
from pipelines.stages.head import add_head
from pipelines.stages.measure import Measured
from pipelines.stages.outputs import outputs
from pipelines.training.phases.workspace import Workspace
from pipelines.training.progress import Progress
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class _Network:
    """A trained network of a fold, with its weights, and its answers for that fold.

    `reached` is the metric of these. Only the best one so far is held.
    """

    model: TransferModel
    weights: list[np.ndarray]
    history: FitHistory
    splits: Splits
    answers: Outputs
    reached: float
    fold: int = 0


def train_folds(
    base: Backbone,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    workspace: Workspace,
    *,
    count: int,
) -> Trained:
    """The best of networks that are each trained as a run without folds would.

    Each starts from the weights of `base`, trains on the other folds, and has its own
    as validation, which ends its phases and guards them. Then it answers that. `splits`
    are pooled; those of the result have the fold of the best network as validation.
    What is left of the time is shared by the folds that are left. A run that is cut
    short begins with the first fold again.

    Raises:
        TrainingError, DataError: as `fine_tune`.
    """
    train, problem = splits.train, problem_of(splits)
    folds = folds_of(
        train.labels, train.groups, problem=problem.name, count=count, seed=plan.seed
    )
    start = base.model.get_weights()
    best: _Network | None = None
    logits: list[np.ndarray] = []
    for fold in range(count):
        _logger.info("fold %d of %d", fold + 1, count)
        base.model.set_weights(start)
        own = folds == fold
        network = _trained(
            base,
            without_fold(splits, own),
            measured.without(own) if plan.head.standardized else measured,
            plan,
            _workspace(workspace, measured, plan.head, own, left=count - fold),
        )
        logits.append(network.answers.logits)
        if best is None or network.reached > best.reached:
            best = dataclasses.replace(network, fold=fold)
    if best is None:
        raise ValueError("There are no folds to train on.")
    every = np.zeros((len(folds), logits[0].shape[1]), np.float32)
    for fold, part in enumerate(logits):
        every[folds == fold] = part
    scores = fold_scores(
        problem, every, train.labels, folds, train.relative_weights, count=count
    )
    best.model.model.set_weights(best.weights)
    return Trained(
        best.model,
        best.history,
        best.splits,
        dataclasses.replace(scores, chosen=best.fold),
        best.answers,
    )


def _trained(
    base: Backbone,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    workspace: Workspace,
) -> _Network:
    """The network of one fold, whose head starts from what it is trained on."""
    keras.utils.set_random_seed(plan.seed)
    problem = problem_of(splits)
    probe = measured.probe(plan.head, balanced=plan.balances_classes)
    model = add_head(
        base,
        classes=problem.units,
        plan=plan.head,
        probe=probe,
        output_layers=problem.output_layers(probe),
    )
    history = fine_tune(model, splits, plan, workspace)
    (answers,) = outputs(model, [splits.validation], batch_size=plan.batch_size)
    reached = metric_of(problem, answers.logits, answers.labels, answers.weights)
    weights = model.model.get_weights()
    return _Network(model, weights, history, splits, answers, reached)


def _workspace(
    workspace: Workspace,
    measured: Measured,
    head: HeadPlan,
    own: np.ndarray,
    *,
    left: int,
) -> Workspace:
    """The workspace of a fold: its share of the time, and memory of its own."""
    now, features = time.monotonic(), measured.head_features(head)
    if features is not None:
        train, validation = features
        features = train[~np.tile(own, measured.views)], validation[own]
    pixels = workspace.pixel_cache
    return dataclasses.replace(
        workspace,
        deadline_seconds=now + (workspace.deadline_seconds - now) / left,
        head_features=features,
        progress=Progress(),
        pixel_cache=PixelCache(pixels.budget_bytes) if pixels else None,
    )
