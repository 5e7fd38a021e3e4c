"""One phase of fine-tuning.

It freezes, fits with a new optimizer, proves what moved, and keeps its best weights.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipelines.data.input.batches import steps_per_epoch
from pipelines.errors import TrainingError
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import problem_of
from pipelines.training import freezing, lora
from pipelines.training.batchnorm import quicken, reestimate
from pipelines.training.callbacks import Score
from pipelines.training.distributed.workers import Workers
from pipelines.training.guard import GuardResult, accuracy_and_loss, interpolate
from pipelines.training.phases.fitting import (
    Fitting,
    PhaseCallbacks,
    phase_callbacks,
)
from pipelines.training.phases.result import PhaseResult
from pipelines.training.phases.task import (
    PhaseInputs,
    PhaseTask,
    Validator,
    make_task,
    whole_model,
)
from pipelines.training.receipt import (
    BlockWeights,
    WeightChange,
    WeightSnapshot,
    accept_statistics,
    measure,
    refuse_moved,
    snapshot,
)
from pipelines.training.transfer_model import TransferModel
from zoo.spec import HEAD

# A loss that has grown by this factor will not come back.
_EXPLODED = 50.0
# A loss above this has diverged, whatever it started from.
_LARGEST_LOSS = 1e6

_logger = logging.getLogger("zootune")


def run_phase(inputs: PhaseInputs, *, may_explode: bool) -> PhaseResult:
    """Trains the model in place, and keeps the best of it.

    Raises:
        TrainingExplodedError: if the loss left all bounds, unless it `may_explode`.
        TrainingError: if anything frozen moved.
    """
    model, splits, plan = inputs.model, inputs.splits, inputs.plan
    progress = inputs.workspace.progress
    state = _begin(inputs)
    task = make_task(inputs)
    fitting, rate_found = Fitting(inputs, task).at_its_rate()
    phase, workers = fitting.phase, fitting.distribution.workers
    fitting.compile()
    profiled = fitting.profile()
    before = _at_start(state, task, model, phase, workers)
    watched = phase_callbacks(
        phase,
        inputs.workspace,
        to_reach=before.to_reach if _may_end_early(phase) else -math.inf,
        loss_to_reach=before.loss_to_reach if _is_on_trial(phase) else math.inf,
        metric=task.feed.problem.epoch_metric,
    )
    _announce(phase, plan, before)
    progress.fit_begins()
    fitting.run(watched)
    fit_seconds = progress.fit_seconds
    receipt = state.receipt(phase)
    if not may_explode:
        _refuse_exploded(phase, before.loss, watched)
    watched.best.restore()
    served = watched.soup.serve(lambda: workers.broadcast(_validate(task)))
    parameters = task.trained_parameters
    lora.merge(model.backbone.blocks)
    problem = task.feed.problem
    best = served.reached or watched.best.best
    quarters = _keeps_quarters(phase, plan)
    result = _guarded(state, task, phase, before, best, problem, quarters=quarters)
    seen = len(splits.train) * len(watched.lines.epochs)
    return PhaseResult(
        name=phase.name,
        kept=result.blend > 0,
        blend=result.blend,
        gain=result.gain,
        gain_standard_error=result.standard_error,
        learning_rate=phase.learning_rate,
        best_epoch=watched.best.best_epoch,
        soup_epochs=served.epochs,
        trained_parameters=parameters,
        rate_found=rate_found,
        accuracy_before=before.accuracy if result.before is None else result.before,
        accuracy_after=result.accuracy,
        # A head trains on features in no time; what costs is the pass before.
        images_per_second=(
            task.images_per_second if phase.trains_head_only else seen / fit_seconds
        ),
        seconds=progress.phase_seconds,
        epochs=tuple(watched.lines.epochs),
        receipt=receipt,
        imbalance=task.feed.imbalance,
        augmentation=task.feed.augmentation,
        profile=watched.with_callbacks(profiled),
        solved=is_solved(plan, phase),
    )


def is_solved(plan: TransferPlan, phase: Phase) -> bool:
    """True if a phase starts with a head that was solved in closed form."""
    head = plan.head
    return phase.trains_head_only and head.standardized and head.init == "probe"


def _announce(phase: Phase, plan: TransferPlan, before: _BestSoFar) -> None:
    if is_solved(plan, phase):
        doing = (
            "goes on from a solution in closed form: training accuracy is near 1 from"
            " the first step on, and what counts is validation"
        )
    else:
        doing = f"trains {len(phase.trainable_blocks)} blocks and the head"
    at = "" if before.accuracy is None else f" ({before.accuracy:.4f} before)"
    _logger.info("phase '%s' %s%s", phase.name, doing, at)


@dataclasses.dataclass(frozen=True, eq=False)
class _PhaseState:
    """The state at the start of a phase, which its end is compared with.

    Where BatchNorm statistics were re-estimated, blocks below what trains have changed
    too: then the `whole` model is validated, and `reached` is its score before.
    """

    start: WeightSnapshot
    layers_by_block: Mapping[str, Sequence[keras.layers.Layer]]
    before: BlockWeights
    reestimated: Mapping[str, float]
    whole: Validator | None = None
    reached: tuple[float, float] | None = None

    def receipt(self, phase: Phase) -> tuple[WeightChange, ...]:
        """The changes until now; frozen weights have none."""
        changes = measure(
            self.before,
            self.layers_by_block,
            trainable=(*phase.trainable_blocks, HEAD),
            reestimated=self.reestimated,
        )
        statistics_frozen = phase.batchnorm != "trained"
        refuse_moved(phase.name, changes, statistics_frozen=statistics_frozen)
        return changes

    def interpolated(
        self,
        validator: Validator | PhaseTask,
        problem: Problem,
        *,
        whole: bool,
        quarters: bool,
    ) -> GuardResult:
        """Puts the best blend of start and now into a model that is validated."""
        trained = validator.model.get_weights()
        start = self.start.of(validator.model)
        return interpolate(
            validator.model,
            start,
            trained,
            validator.validation,
            problem,
            whole=whole,
            quarters=quarters,
        )


def _begin(inputs: PhaseInputs) -> _PhaseState:
    """Notes the weights at the start, and makes trainable what the phase trains."""
    model, phase, splits = inputs.model, inputs.phase, inputs.splits
    blocks = model.backbone.blocks
    layers = model.layers_by_block
    state = _PhaseState(WeightSnapshot(model.model), layers, snapshot(layers), {})
    if phase.batchnorm == "reestimated":
        whole = whole_model(inputs)
        problem = problem_of(splits).with_loss(phase.number_loss)
        reached = accuracy_and_loss(whole.model, whole.validation, problem)
        reestimate(
            model.model,
            blocks,
            splits.train,
            input_size_px=inputs.input_size_px,
            seed=inputs.seed,
        )
        before, changes = accept_statistics(state.before, layers)
        state = _PhaseState(state.start, layers, before, changes, whole, reached)
    if phase.batchnorm == "trained" and model.backbone.weights == "random":
        per_epoch = steps_per_epoch(splits.train, inputs.plan.batch_size)
        quicken(blocks, steps=per_epoch * phase.epochs)
    trainable = phase.trainable_blocks
    freezing.set_trainable(
        blocks, trainable, batchnorm=phase.batchnorm, tune=phase.tune
    )
    if phase.lora_rank:
        lora.attach(blocks, trainable, rank=phase.lora_rank, seed=inputs.seed)
    return state


@dataclasses.dataclass(frozen=True)
class _BestSoFar:
    """Accuracy and loss on the validation split before the first step, where known."""

    accuracy: float | None = None
    loss: float | None = None

    @property
    def to_reach(self) -> float:
        return -math.inf if self.accuracy is None else self.accuracy

    @property
    def loss_to_reach(self) -> float:
        return math.inf if self.loss is None else self.loss


def _may_end_early(phase: Phase) -> bool:
    """True if a phase that shows no gain ends before its patience does.

    Not one that is kept whole: where it is kept, it is what it is without a guard.
    """
    return phase.only_if_better and not phase.whole


def _is_on_trial(phase: Phase) -> bool:
    """True if one epoch decides about the others: guarded, with blocks that train."""
    return _may_end_early(phase) and not phase.trains_head_only


def _at_start(
    state: _PhaseState,
    task: PhaseTask,
    model: TransferModel,
    phase: Phase,
    workers: Workers,
) -> _BestSoFar:
    # What random weights answer says nothing, and validating them builds a graph.
    if model.backbone.weights == "random" and not phase.only_if_better:
        return _BestSoFar()
    return _BestSoFar(*workers.broadcast(state.reached or _validate(task)))


def _keeps_quarters(phase: Phase, plan: TransferPlan) -> bool:
    """True if a phase may stay in part where only the loss shows that it helped.

    Not one that trains a linear head alone: that starts at its best loss.
    """
    has_more = bool(phase.trainable_blocks or plan.head.conv_blocks)
    return has_more and not phase.whole


def _guarded(
    state: _PhaseState,
    task: PhaseTask,
    phase: Phase,
    before: _BestSoFar,
    reached: Score,
    problem: Problem,
    *,
    quarters: bool,
) -> GuardResult:
    """The part of a phase that is kept: all, or of a guarded one what is better."""
    if phase.only_if_better:
        return state.interpolated(
            state.whole or task, problem, whole=phase.whole, quarters=quarters
        )
    accuracy, _ = reached
    return GuardResult(1.0, accuracy - (before.accuracy or 0.0), 0.0, accuracy)


def _validate(task: PhaseTask) -> tuple[float, float]:
    """Accuracy and loss on the validation split."""
    values = task.model.evaluate(task.validation, verbose=0, return_dict=True)
    return values[task.feed.problem.epoch_metric], values["loss"]


class TrainingExplodedError(TrainingError):
    """The loss of a phase left all bounds at a rate."""

    def __init__(self, message: str, *, learning_rate: float) -> None:
        super().__init__(message)
        self.learning_rate = learning_rate


def _refuse_exploded(
    phase: Phase, loss_before: float | None, watched: PhaseCallbacks
) -> None:
    """Raises `TrainingExplodedError` for a loss that is NaN, or many times that before.

    A head that starts from a probe has a small loss, so the loss of guessing is the
    least that counts.
    """
    losses = [epoch["loss"] for epoch in watched.lines.epochs]
    # With BatchNorm in training, features are others from the first step on, whatever
    # the rate; then only the largest bound counts.
    before = 1.0 if loss_before is None else max(loss_before, 1.0)
    comparable = np.isfinite(before) and phase.batchnorm == "frozen"
    bound = _EXPLODED * before if comparable else _LARGEST_LOSS
    if all(np.isfinite(loss) and loss < bound for loss in losses):
        return
    step = watched.at_nan.step
    seen = "" if step is None else f" (seen at its step {step})"
    raise TrainingExplodedError(
        f"The loss became {losses[-1]:.3g} in epoch {len(losses)}{seen} of phase"
        f" '{phase.name}'. Lower the learning rate (it is {phase.learning_rate:g}) or"
        f" the clip norm ({phase.clip_norm:g}).",
        learning_rate=phase.learning_rate,
    )
