"""Stage 4: fine-tune, phase by phase, as the plan says.

The only stage that trains. A phase freezes, compiles with a new optimizer, fits, proves
what moved, and keeps its best weights.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from pipelines.data.augment import Augmentation
from pipelines.data.batches import steps_per_epoch
from pipelines.data.broken import broken_files_named
from pipelines.data.splits import Splits
from pipelines.errors import TrainingError
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.stages.head import TransferModel
from pipelines.stages.task import FitSettings, Task, make_task
from pipelines.training import freezing
from pipelines.training.callbacks import BestWeights, HistoryLines, TimeLimit
from pipelines.training.guard import Verdict, settle
from pipelines.training.memory import advice_when_full
from pipelines.training.progress import Keeper, skip_done_steps
from pipelines.training.rates import optimizer_for
from pipelines.training.receipt import Movement, measure, refuse_moved, snapshot
from pipelines.training.signals import held_back
from zoo.spec import HEAD

_MAXIMUM_RETRIES = 2
# A loss so many times that of before will not come back.
_EXPLODED = 50.0

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """What one phase did. Accuracies and losses are those of the validation split.

    They are balanced, every class counting the same, where `imbalance` is not `none`.
    `augmentation` tells what was done to the training images, if anything. `blend` is
    the share of the trained weights in those that were kept: 1 unless the phase is
    guarded, and 0 where it was undone because validation did not improve by more than a
    standard error. `learning_rate` is lower than planned if the loss exploded with
    that. The receipt tells what training moved, kept or not.
    """

    name: str
    kept: bool
    blend: float
    gain: float
    gain_standard_error: float
    learning_rate: float
    best_epoch: int
    accuracy_before: float
    accuracy_after: float
    images_per_second: float
    seconds: float
    epochs: tuple[Mapping[str, float], ...]
    receipt: tuple[Movement, ...]
    imbalance: str = "none"
    augmentation: Augmentation | None = None


@dataclasses.dataclass(frozen=True)
class FitHistory:
    """The phases that ran, in order, and the names of those the time did not allow."""

    phases: tuple[PhaseResult, ...]
    skipped: tuple[str, ...]


def fine_tune(
    model: TransferModel, splits: Splits, plan: TransferPlan, settings: FitSettings
) -> FitHistory:
    """Trains the model in place and gives what every phase did.

    At the deadline training stops with the best weights so far; later phases are
    skipped. What `settings.progress` says was done is not done again.

    A phase whose loss explodes starts over at a tenth of its rate, at most twice.

    Raises:
        TrainingError: if the loss is not a number all the same, or if anything frozen
            moved.
        DataError: naming files that have changed since they were checked.
    """
    plan.check_covers([block.name for block in model.backbone.blocks])
    progress = settings.progress
    progress.take_up(model.model)
    results = [_result_of(values) for values in progress.finished]
    with broken_files_named(splits.train, splits.validation):
        for index, phase in enumerate(plan.phases):
            if index < len(progress.finished):
                continue
            is_late = time.monotonic() > settings.deadline_seconds
            if results and is_late and not progress.is_inside(index):
                break
            own_seed = dataclasses.replace(settings, seed=settings.seed + index)
            # So that what a phase draws does not depend on the ones before it.
            keras.utils.set_random_seed(own_seed.seed)
            attempt = progress.phase_begins(index, model.model)
            results.append(_run_stably(model, splits, plan, phase, own_seed, attempt))
            progress.phase_ends(dataclasses.asdict(results[-1]), model.model)
    done = len(results)
    return FitHistory(tuple(results), tuple(phase.name for phase in plan.phases[done:]))


def _run_stably(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
    attempt: int,
) -> PhaseResult:
    start = model.model.get_weights()
    for _ in range(attempt):
        phase = _slower(phase)
    for number in range(attempt, _MAXIMUM_RETRIES):
        settings.progress.attempt_begins(number)
        try:
            return _run_phase(model, splits, plan, phase, settings, may_explode=False)
        except TrainingExplodedError as error:
            model.model.set_weights(start)
            phase = _slower(phase)
            _logger.warning("%s Starting it over at %g.", error, phase.learning_rate)
    settings.progress.attempt_begins(_MAXIMUM_RETRIES)
    # A guarded phase will be undone; any other one has nothing to fall back on.
    guarded = phase.only_if_better
    return _run_phase(model, splits, plan, phase, settings, may_explode=guarded)


def _slower(phase: Phase) -> Phase:
    return dataclasses.replace(phase, learning_rate=phase.learning_rate / 10)


def _run_phase(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
    *,
    may_explode: bool,
) -> PhaseResult:
    progress = settings.progress
    layers_by_block = {
        **{block.name: block.layers for block in model.backbone.blocks},
        HEAD: model.head_layers,
    }
    before = snapshot(layers_by_block)
    freezing.set_trainable(
        model.backbone.blocks, phase.trainable_blocks, batchnorm=phase.batchnorm
    )
    task = make_task(model, splits, plan, phase, settings)
    steps = steps_per_epoch(splits.train, plan.batch_size)
    _compile(task, model, phase, steps * phase.epochs)
    at_start = _validate(task)
    start = task.model.get_weights()
    best = BestWeights(patience_epochs=phase.patience_epochs)
    lines = HistoryLines(settings.history_path, phase=phase.name)
    progress.fit_begins()
    _fit(task, phase, plan, steps, settings, [best, lines])
    fit_seconds = progress.fit_seconds
    movements = measure(
        before, layers_by_block, trainable=(*phase.trainable_blocks, HEAD)
    )
    refuse_moved(phase.name, movements, statistics_frozen=phase.batchnorm == "frozen")
    if not may_explode:
        _refuse_exploded(phase, at_start[1], lines)
    best.restore()
    verdict = (
        settle(task.model, start, task.model.get_weights(), task.validation)
        if phase.only_if_better
        else Verdict(1.0, best.best[0] - at_start[0], 0.0, best.best[0])
    )
    trained = len(splits.train) * len(lines.epochs)
    return PhaseResult(
        name=phase.name,
        kept=verdict.blend > 0,
        blend=verdict.blend,
        gain=verdict.gain,
        gain_standard_error=verdict.standard_error,
        learning_rate=phase.learning_rate,
        best_epoch=best.best_epoch,
        accuracy_before=at_start[0],
        accuracy_after=verdict.accuracy,
        # A head trains on features in no time; what costs is the pass before.
        images_per_second=(
            task.images_per_second if phase.trains_head_only else trained / fit_seconds
        ),
        seconds=progress.phase_seconds,
        epochs=tuple(lines.epochs),
        receipt=movements,
        imbalance=task.feed.imbalance,
        augmentation=task.feed.augmentation,
    )


def _compile(task: Task, model: TransferModel, phase: Phase, steps: int) -> None:
    """Compiles for one phase: a new optimizer, with a rate for every variable."""
    trained, feed = task.model, task.feed
    factors = dict(phase.block_multipliers)
    multiplier = {
        id(variable): factors[block.name]
        for block in model.backbone.blocks
        for variable in block.variables
    }
    trained.compile(
        optimizer=optimizer_for(
            phase,
            rate_multipliers=[
                multiplier.get(id(v), 1.0) for v in trained.trainable_variables
            ],
            steps=steps,
        ),
        loss=feed.loss(),
        # With weights where the batches have them, and else as it is.
        weighted_metrics=["accuracy"],
        # XLA is several times slower than TensorFlow's own kernels on a CPU.
        jit_compile=False,
    )


def _fit(
    task: Task,
    phase: Phase,
    plan: TransferPlan,
    steps: int,
    settings: FitSettings,
    callbacks: Sequence[BestWeights | HistoryLines],
) -> None:
    place = settings.progress.place
    if place.has_ended:
        settings.progress.put_back(task.model, callbacks)
        return
    skip_done_steps(task.model, place.step)
    batches = task.train_from(place.epoch, place.step)
    size = plan.batch_size
    with held_back() as signals, advice_when_full(task.model, batches, batch_size=size):
        keeper = Keeper(settings.progress, callbacks, signals, batch_size=size)
        task.model.fit(
            batches,
            initial_epoch=place.epoch,
            epochs=phase.epochs,
            steps_per_epoch=steps,
            shuffle=False,  # the order of the data set is shuffled already
            validation_data=task.validation,
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[
                *callbacks,
                keras.callbacks.TerminateOnNaN(),
                TimeLimit(settings.deadline_seconds),
                keras.callbacks.TensorBoard(
                    settings.tensorboard_dir / phase.name, write_graph=False
                ),
                keeper,
            ],
        )


def _result_of(values: Mapping[str, Any]) -> PhaseResult:
    """The result that `dataclasses.asdict` made these values of, and JSON lists."""
    augmentation = values["augmentation"]
    parts = {
        "epochs": tuple(values["epochs"]),
        "receipt": tuple(Movement(**movement) for movement in values["receipt"]),
        "augmentation": Augmentation(**augmentation) if augmentation else None,
    }
    return PhaseResult(**{**values, **parts})


def _validate(task: Task) -> tuple[float, float]:
    """Accuracy and loss on the validation split."""
    found = task.model.evaluate(task.validation, verbose=0, return_dict=True)
    return found["accuracy"], found["loss"]


class TrainingExplodedError(TrainingError):
    """The loss of a phase left all bounds."""


def _refuse_exploded(phase: Phase, loss_before: float, lines: HistoryLines) -> None:
    """Raises `TrainingExplodedError` for a loss that is NaN, or many times that before.

    A head that starts from a probe has a small loss, so at least that of guessing
    counts.
    """
    losses = [epoch["loss"] for epoch in lines.epochs]
    # With BatchNorm in training, features are others from the first step on, whatever
    # the rate; then only what is no number counts.
    comparable = np.isfinite(loss_before) and phase.batchnorm == "frozen"
    bound = _EXPLODED * max(loss_before, 1.0) if comparable else np.inf
    if all(np.isfinite(loss) and loss < bound for loss in losses):
        return
    raise TrainingExplodedError(
        f"The loss became {losses[-1]:.3g} in epoch {len(losses)} of phase"
        f" '{phase.name}'. Lower the learning rate (it is {phase.learning_rate:g}) or"
        f" the clip norm ({phase.clip_norm:g})."
    )
