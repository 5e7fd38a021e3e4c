"""Stage 4: fine-tune, phase by phase, as the plan says.

The only stage that trains. A phase freezes, compiles with a new optimizer, fits, proves
what moved, and keeps its best weights.
"""

from __future__ import annotations

import dataclasses
import logging
import math
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
from pipelines.planning.plan import NOTICEABLE, Phase, TransferPlan
from pipelines.stages.head import TransferModel
from pipelines.stages.task import FitSettings, Task, make_task, whole_model
from pipelines.training import freezing, lora
from pipelines.training.averaging import averaged
from pipelines.training.batchnorm import reestimate
from pipelines.training.callbacks import BestWeights, HistoryLines, TimeLimit
from pipelines.training.guard import Verdict, accuracy_and_loss, settle
from pipelines.training.progress import Keeper, Remembers, skip_done_steps
from pipelines.training.rate_finder import RateFound, find_rate
from pipelines.training.rates import optimizer_for
from pipelines.training.receipt import (
    Movement,
    accept_statistics,
    measure,
    refuse_moved,
    snapshot,
)
from pipelines.training.signals import held_back
from pipelines.training.soup import Soup
from pipelines.training.start import Start
from zoo.spec import HEAD

_MAXIMUM_RETRIES = 2
# A loss so many times that of before will not come back.
_EXPLODED = 50.0
# And nor will this one, from whatever it started.
_LARGEST_LOSS = 1e6

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """What one phase did. Accuracies and losses are those of the validation split.

    They are balanced, every class counting the same, where `imbalance` is not `none`.
    `augmentation` tells what was done to the training images, if anything. `blend` is
    the share of the trained weights in those that were kept: 1 unless the phase is
    guarded, and 0 where it was undone because validation did not improve by more than a
    standard error. `learning_rate` is lower than planned if the loss exploded with
    that. The receipt tells what training moved, kept or not, and apart from that what
    BatchNorm statistics moved by where they were re-estimated; `accuracy_before` is
    that of before they were. `soup_epochs` are those whose weights were averaged, if
    the phase has a soup, and else empty. `trained_parameters` counts numbers, with
    those of the head; of factors of low rank they are what the factors have, and the
    receipt has what they moved the kernels by. `rate_found` is the range test of a
    phase that was to find its rate, unless it started over at a lower one.
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
    soup_epochs: tuple[int, ...] = ()
    trained_parameters: int = 0
    rate_found: RateFound | None = None


@dataclasses.dataclass(frozen=True)
class FitHistory:
    """The phases that ran, in order.

    And the names of those that the time did not allow (`skipped`), and of those that
    were left out because validation could not have shown their gain (`not_needed`).
    """

    phases: tuple[PhaseResult, ...]
    skipped: tuple[str, ...]
    not_needed: tuple[str, ...] = ()


def fine_tune(
    model: TransferModel, splits: Splits, plan: TransferPlan, settings: FitSettings
) -> FitHistory:
    """Trains the model in place and gives what every phase did.

    At the deadline training stops with the best weights so far; later phases are
    skipped. A guarded phase is left out where what is wrong on validation by now is too
    little for it to be kept. What `settings.progress` says was done is not done again.

    A phase whose loss explodes starts over at a tenth of its rate, at most twice.

    Raises:
        TrainingError: if the loss is not a number all the same, or if anything frozen
            moved.
        DataError: naming files that have changed since they were checked.
    """
    plan.check_covers([block.name for block in model.backbone.blocks])
    progress = settings.progress
    progress.take_up(model.model)
    done = {values["name"]: _result_of(values) for values in progress.finished}
    results: list[PhaseResult] = []
    skipped, not_needed = [], []
    with broken_files_named(splits.train, splits.validation):
        for index, phase in enumerate(plan.phases):
            if phase.name in done:
                results.append(done[phase.name])
                continue
            is_late = time.monotonic() > settings.deadline_seconds
            if results and is_late and not progress.is_inside(index):
                skipped.append(phase.name)
                continue
            if results and _cannot_gain(phase, results[-1], splits):
                not_needed.append(phase.name)
                continue
            phase = _at_found_rate(phase, results)
            own_seed = dataclasses.replace(settings, seed=settings.seed + index)
            # So that what a phase draws does not depend on the ones before it.
            keras.utils.set_random_seed(own_seed.seed)
            attempt = progress.phase_begins(index, model.model)
            results.append(_run_stably(model, splits, plan, phase, own_seed, attempt))
            progress.phase_ends(dataclasses.asdict(results[-1]), model.model)
    return FitHistory(tuple(results), tuple(skipped), tuple(not_needed))


def _cannot_gain(phase: Phase, last: PhaseResult, splits: Splits) -> bool:
    """Whether a guarded phase would be undone even if it were right on everything."""
    # Where classes are balanced, an accuracy says nothing of the number of examples.
    if not phase.only_if_better or last.imbalance != "none":
        return False
    wrong = round((1 - last.accuracy_after) * len(splits.validation))
    return wrong < NOTICEABLE


def _at_found_rate(phase: Phase, earlier: Sequence[PhaseResult]) -> Phase:
    """The phase at the rate that an earlier one has found, if it trains blocks."""
    found = [result for result in earlier if result.rate_found]
    if not found or phase.trains_head_only:
        return phase
    return dataclasses.replace(phase, learning_rate=found[0].learning_rate)


def _run_stably(
    model: TransferModel,
    splits: Splits,
    plan: TransferPlan,
    phase: Phase,
    settings: FitSettings,
    attempt: int,
) -> PhaseResult:
    start = model.model.get_weights()
    # The rate that a phase found is not saved: one that started over with that is done
    # from its beginning, to the same result.
    attempt = 0 if phase.find_learning_rate else attempt
    for _ in range(attempt):
        phase = _slower(phase, than=phase.learning_rate)
    for number in range(attempt, _MAXIMUM_RETRIES):
        settings.progress.attempt_begins(number)
        try:
            return _run_phase(model, splits, plan, phase, settings, may_explode=False)
        except TrainingExplodedError as error:
            lora.merge(model.backbone.blocks)
            model.model.set_weights(start)
            phase = _slower(phase, than=error.learning_rate)
            _logger.warning("%s Starting it over at %g.", error, phase.learning_rate)
    settings.progress.attempt_begins(_MAXIMUM_RETRIES)
    # A guarded phase will be undone; any other one has nothing to fall back on.
    guarded = phase.only_if_better
    return _run_phase(model, splits, plan, phase, settings, may_explode=guarded)


def _slower(phase: Phase, *, than: float) -> Phase:
    return dataclasses.replace(phase, learning_rate=than / 10, find_learning_rate=False)


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
    reestimated: dict[str, float] = {}
    start = Start(model.model)
    whole, found = None, None
    if phase.batchnorm == "reestimated":
        # Blocks below what trains change too, so the whole model has to be judged.
        whole = whole_model(model, splits, plan, settings)
        found = accuracy_and_loss(whole.model, whole.validation)
        reestimate(
            model.model,
            model.backbone.blocks,
            splits.train,
            input_size_px=settings.input_size_px,
            seed=settings.seed,
        )
        before, reestimated = accept_statistics(before, layers_by_block)
    freezing.set_trainable(
        model.backbone.blocks, phase.trainable_blocks, batchnorm=phase.batchnorm
    )
    if phase.lora_rank:
        lora.attach(
            model.backbone.blocks,
            phase.trainable_blocks,
            rank=phase.lora_rank,
            seed=settings.seed,
        )
    task = make_task(model, splits, plan, phase, settings)
    steps = steps_per_epoch(splits.train, plan.batch_size)
    rate_found = None
    if phase.find_learning_rate:
        rate_found = _find_rate(task, model, phase)
        rate = rate_found.suggested or phase.learning_rate
        phase = dataclasses.replace(phase, learning_rate=rate)
    _compile(task, model, phase, steps * phase.epochs)
    judge = whole or task
    at_start = found or _validate(task)
    best = BestWeights(
        patience_epochs=phase.patience_epochs,
        to_reach=at_start[0] if phase.only_if_better else -math.inf,
    )
    lines = HistoryLines(settings.history_path, phase=phase.name)
    soup = Soup(at_most=phase.soup)
    progress.fit_begins()
    _fit(task, phase, plan, steps, settings, [*averaged(phase), best, soup, lines])
    fit_seconds = progress.fit_seconds
    movements = measure(
        before,
        layers_by_block,
        trainable=(*phase.trainable_blocks, HEAD),
        reestimated=reestimated,
    )
    refuse_moved(phase.name, movements, statistics_frozen=phase.batchnorm != "trained")
    if not may_explode:
        _refuse_exploded(phase, at_start[1], lines)
    best.restore()
    served = soup.serve(lambda: _validate(task))
    reached, _ = served.reached or best.best
    trainable = task.model.trainable_variables
    trained_parameters = sum(math.prod(v.shape) for v in trainable)
    lora.merge(model.backbone.blocks)
    verdict = (
        settle(
            judge.model,
            start.of(judge.model),
            judge.model.get_weights(),
            judge.validation,
        )
        if phase.only_if_better
        else Verdict(1.0, reached - at_start[0], 0.0, reached)
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
        soup_epochs=served.epochs,
        trained_parameters=trained_parameters,
        rate_found=rate_found,
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


def _find_rate(task: Task, model: TransferModel, phase: Phase) -> RateFound:
    plain = dataclasses.replace(phase, ema_decay=0.0)
    found = find_rate(
        task.model,
        task.train,
        lambda schedule: _compile(task, model, plain, 1, schedule),
    )
    _logger.info(
        "phase '%s': a range test of %d steps suggests the rate %s; planned was %g",
        phase.name,
        len(found.rates),
        "of the plan" if found.suggested is None else f"{found.suggested:.3g}",
        phase.learning_rate,
    )
    return found


def _compile(
    task: Task,
    model: TransferModel,
    phase: Phase,
    steps: int,
    schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
) -> None:
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
            schedule=schedule,
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
    callbacks: Sequence[Remembers],
) -> None:
    place = settings.progress.place
    if place.has_ended:
        settings.progress.put_back(task.model, callbacks)
        return
    skip_done_steps(task.model, place.step)
    with held_back() as signals:
        keeper = Keeper(
            settings.progress, callbacks, signals, batch_size=plan.batch_size
        )
        task.model.fit(
            task.train_from(place.epoch, place.step),
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
                *settings.watch(phase),
                keeper,
            ],
        )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _result_of(values: Mapping[str, Any]) -> PhaseResult:
    """The result that `dataclasses.asdict` made these values of, and JSON lists."""
    augmentation, found = values["augmentation"], values["rate_found"]
    parts = {
        "epochs": tuple(values["epochs"]),
        "soup_epochs": tuple(values["soup_epochs"]),
        "receipt": tuple(Movement(**movement) for movement in values["receipt"]),
        "augmentation": Augmentation(**augmentation) if augmentation else None,
        "rate_found": RateFound(**{k: _frozen(v) for k, v in found.items()})
        if found
        else None,
    }
    return PhaseResult(**{**values, **parts})


def _validate(task: Task) -> tuple[float, float]:
    """Accuracy and loss on the validation split."""
    found = task.model.evaluate(task.validation, verbose=0, return_dict=True)
    return found["accuracy"], found["loss"]


class TrainingExplodedError(TrainingError):
    """The loss of a phase left all bounds at a rate."""

    def __init__(self, message: str, *, learning_rate: float) -> None:
        super().__init__(message)
        self.learning_rate = learning_rate


def _refuse_exploded(phase: Phase, loss_before: float, lines: HistoryLines) -> None:
    """Raises `TrainingExplodedError` for a loss that is NaN, or many times that before.

    A head that starts from a probe has a small loss, so at least that of guessing
    counts.
    """
    losses = [epoch["loss"] for epoch in lines.epochs]
    # With BatchNorm in training, features are others from the first step on, whatever
    # the rate; then only what is beyond all measure counts.
    comparable = np.isfinite(loss_before) and phase.batchnorm == "frozen"
    bound = _EXPLODED * max(loss_before, 1.0) if comparable else _LARGEST_LOSS
    if all(np.isfinite(loss) and loss < bound for loss in losses):
        return
    raise TrainingExplodedError(
        f"The loss became {losses[-1]:.3g} in epoch {len(losses)} of phase"
        f" '{phase.name}'. Lower the learning rate (it is {phase.learning_rate:g}) or"
        f" the clip norm ({phase.clip_norm:g}).",
        learning_rate=phase.learning_rate,
    )
