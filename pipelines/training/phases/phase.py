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
from pipelines.data.splits import Splits
from pipelines.errors import TrainingError
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.training import freezing, lora
from pipelines.training.batchnorm import quicken, reestimate
from pipelines.training.callbacks import Score
from pipelines.training.distributed.workers import Workers
from pipelines.training.guard import GuardResult, accuracy_and_loss, interpolate
from pipelines.training.phases.fitting import Fitting, Watching, watching
from pipelines.training.phases.result import PhaseResult
from pipelines.training.phases.task import (
    FitSettings,
    Judge,
    Task,
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

# A loss so many times that of before will not come back.
_EXPLODED = 50.0
# And nor will this one, from whatever it started.
_LARGEST_LOSS = 1e6

_logger = logging.getLogger("zootune")


def run_phase(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
    *,
    may_explode: bool,
) -> PhaseResult:
    """Trains the model in place, and keeps the best of it.

    Raises:
        TrainingExplodedError: if the loss left all bounds, unless it `may_explode`.
        TrainingError: if anything frozen moved.
    """
    progress = settings.progress
    begun = _begin(model, splits, plan, phase, settings)
    task = make_task(model, splits, plan, phase, settings)
    fitting, rate_found = Fitting(
        task,
        phase,
        model.backbone.blocks,
        batch_size=plan.batch_size,
        steps_per_epoch=steps_per_epoch(splits.train, plan.batch_size),
        settings=settings,
    ).at_its_rate()
    phase, workers = fitting.phase, fitting.distribution.workers
    fitting.compile()
    profiled = fitting.profile()
    before = _at_start(begun, task, model, phase, workers)
    watch = watching(
        phase,
        settings,
        to_reach=before.to_reach if phase.only_if_better else -math.inf,
        loss_to_reach=before.loss_to_reach if _is_on_trial(phase) else math.inf,
    )
    _announce(phase, plan, before)
    progress.fit_begins()
    fitting.run(watch)
    fit_seconds = progress.fit_seconds
    receipt = begun.receipt(phase)
    if not may_explode:
        _refuse_exploded(phase, before.loss, watch)
    watch.best.restore()
    served = watch.soup.serve(lambda: workers.broadcast(_validate(task)))
    parameters = task.trained_parameters
    lora.merge(model.backbone.blocks)
    result = _guarded(begun, task, phase, before, served.reached or watch.best.best)
    seen = len(splits.train) * len(watch.lines.epochs)
    return PhaseResult(
        name=phase.name,
        kept=result.blend > 0,
        blend=result.blend,
        gain=result.gain,
        gain_standard_error=result.standard_error,
        learning_rate=phase.learning_rate,
        best_epoch=watch.best.best_epoch,
        soup_epochs=served.epochs,
        trained_parameters=parameters,
        rate_found=rate_found,
        accuracy_before=before.accuracy,
        accuracy_after=result.accuracy,
        # A head trains on features in no time; what costs is the pass before.
        images_per_second=(
            task.images_per_second if phase.trains_head_only else seen / fit_seconds
        ),
        seconds=progress.phase_seconds,
        epochs=tuple(watch.lines.epochs),
        receipt=receipt,
        imbalance=task.feed.imbalance,
        augmentation=task.feed.augmentation,
        profile=watch.with_callbacks(profiled),
        solved=_is_solved(plan, phase),
    )


def _is_solved(plan: TransferPlan, phase: Phase) -> bool:
    """Whether a phase starts with a head that was solved for in closed form."""
    head = plan.head
    return phase.trains_head_only and head.standardized and head.init == "probe"


def _announce(phase: Phase, plan: TransferPlan, before: _Before) -> None:
    if _is_solved(plan, phase):
        what = (
            "goes on from a solution in closed form: training accuracy is near 1 from"
            " the first step on, and what counts is validation"
        )
    else:
        what = f"trains {len(phase.trainable_blocks)} blocks and the head"
    at = "" if before.accuracy is None else f" ({before.accuracy:.4f} before)"
    _logger.info("phase '%s' %s%s", phase.name, what, at)


@dataclasses.dataclass(frozen=True, eq=False)
class _Begun:
    """What a phase is compared with when it ends.

    Where BatchNorm statistics were re-estimated, blocks below what trains have changed
    too: then the `whole` model is judged, and `reached` is what it did before.
    """

    start: WeightSnapshot
    layers_by_block: Mapping[str, Sequence[keras.layers.Layer]]
    before: BlockWeights
    reestimated: Mapping[str, float]
    whole: Judge | None = None
    reached: tuple[float, float] | None = None

    def receipt(self, phase: Phase) -> tuple[WeightChange, ...]:
        """What has moved until now; nothing that is frozen."""
        changes = measure(
            self.before,
            self.layers_by_block,
            trainable=(*phase.trainable_blocks, HEAD),
            reestimated=self.reestimated,
        )
        statistics_frozen = phase.batchnorm != "trained"
        refuse_moved(phase.name, changes, statistics_frozen=statistics_frozen)
        return changes

    def interpolated(self, judged: Judge | Task) -> GuardResult:
        """Puts the best blend of start and now into a model that is judged."""
        trained = judged.model.get_weights()
        start = self.start.of(judged.model)
        return interpolate(judged.model, start, trained, judged.validation)


def _begin(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
) -> _Begun:
    """Notes what is there, and makes trainable what the phase trains."""
    blocks = model.backbone.blocks
    layers = {**{one.name: one.layers for one in blocks}, HEAD: model.head_layers}
    begun = _Begun(WeightSnapshot(model.model), layers, snapshot(layers), {})
    if phase.batchnorm == "reestimated":
        whole = whole_model(model, splits, plan, settings)
        reached = accuracy_and_loss(whole.model, whole.validation)
        reestimate(
            model.model,
            blocks,
            splits.train,
            input_size_px=settings.input_size_px,
            seed=settings.seed,
        )
        before, changes = accept_statistics(begun.before, layers)
        begun = _Begun(begun.start, layers, before, changes, whole, reached)
    if phase.batchnorm == "trained" and model.backbone.weights == "random":
        per_epoch = steps_per_epoch(splits.train, plan.batch_size)
        quicken(blocks, steps=per_epoch * phase.epochs)
    trainable = phase.trainable_blocks
    freezing.set_trainable(blocks, trainable, batchnorm=phase.batchnorm)
    if phase.lora_rank:
        lora.attach(blocks, trainable, rank=phase.lora_rank, seed=settings.seed)
    return begun


@dataclasses.dataclass(frozen=True)
class _Before:
    """Accuracy and loss on the validation split before the first step, where known."""

    accuracy: float | None = None
    loss: float | None = None

    @property
    def to_reach(self) -> float:
        return -math.inf if self.accuracy is None else self.accuracy

    @property
    def loss_to_reach(self) -> float:
        return math.inf if self.loss is None else self.loss


def _is_on_trial(phase: Phase) -> bool:
    """Whether one epoch decides if the others can pay: where blocks train, guarded."""
    return phase.only_if_better and not phase.trains_head_only


def _at_start(
    begun: _Begun, task: Task, model: TransferModel, phase: Phase, workers: Workers
) -> _Before:
    # What random weights answer says nothing, and validating them builds a graph.
    if model.backbone.weights == "random" and not phase.only_if_better:
        return _Before()
    return _Before(*workers.broadcast(begun.reached or _validate(task)))


def _guarded(
    begun: _Begun, task: Task, phase: Phase, before: _Before, reached: Score
) -> GuardResult:
    """What is kept of a phase: all of it, or of a guarded one what is better."""
    if phase.only_if_better:
        return begun.interpolated(begun.whole or task)
    accuracy, _ = reached
    return GuardResult(1.0, accuracy - (before.accuracy or 0.0), 0.0, accuracy)


def _validate(task: Task) -> tuple[float, float]:
    """Accuracy and loss on the validation split."""
    found = task.model.evaluate(task.validation, verbose=0, return_dict=True)
    return found["accuracy"], found["loss"]


class TrainingExplodedError(TrainingError):
    """The loss of a phase left all bounds at a rate."""

    def __init__(self, message: str, *, learning_rate: float) -> None:
        super().__init__(message)
        self.learning_rate = learning_rate


def _refuse_exploded(phase: Phase, loss_before: float | None, watch: Watching) -> None:
    """Raises `TrainingExplodedError` for a loss that is NaN, or many times that before.

    A head that starts from a probe has a small loss, so at least that of guessing
    counts.
    """
    losses = [epoch["loss"] for epoch in watch.lines.epochs]
    # With BatchNorm in training, features are others from the first step on, whatever
    # the rate; then only what is beyond all measure counts.
    before = 1.0 if loss_before is None else max(loss_before, 1.0)
    comparable = np.isfinite(before) and phase.batchnorm == "frozen"
    bound = _EXPLODED * before if comparable else _LARGEST_LOSS
    if all(np.isfinite(loss) and loss < bound for loss in losses):
        return
    step = watch.at_nan.step
    seen = "" if step is None else f" (seen at its step {step})"
    raise TrainingExplodedError(
        f"The loss became {losses[-1]:.3g} in epoch {len(losses)}{seen} of phase"
        f" '{phase.name}'. Lower the learning rate (it is {phase.learning_rate:g}) or"
        f" the clip norm ({phase.clip_norm:g}).",
        learning_rate=phase.learning_rate,
    )
