"""Every fold fitted, as the config asks: heads in closed form, or networks."""

from __future__ import annotations

from pipelines.config import RunConfig
from pipelines.data.splits import Splits
from pipelines.planning.folds import solves_folds
from pipelines.planning.plan import TransferPlan
from pipelines.runtime.clock import Clock
from pipelines.stages.folds.measure import with_every_example
from pipelines.stages.folds.result import Trained
from pipelines.stages.folds.solve import solve_folds
from pipelines.stages.folds.train import train_folds
from pipelines.stages.measure import Measured
from pipelines.training.phases.workspace import Workspace
from pipelines.training.transfer_model import TransferModel


def fit_folds(
    model: TransferModel,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    workspace: Workspace,
    *,
    config: RunConfig,
    clock: Clock,
) -> Trained:
    """The model with the head of all folds, or the best of a network for each fold.

    `splits` are pooled. What the heads read of examples that were not measured is read
    first.

    Raises:
        ConfigError, DataError, TrainingError: as the stages.
    """
    base, count = model.backbone, config.folds
    measured = with_every_example(base, splits, measured, plan.head, config, clock)
    if not solves_folds(config):
        return train_folds(base, splits, measured, plan, workspace, count=count)
    takes_best = config.fold_head == "best"
    return solve_folds(
        model, splits, measured, plan, count=count, takes_best=takes_best
    )
