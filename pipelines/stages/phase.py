"""One phase of fine-tuning.

It freezes, compiles with a new optimizer, fits, proves what moved, and keeps its best
weights.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import sys
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.data.batches import steps_per_epoch
from pipelines.data.splits import Splits
from pipelines.errors import TrainingError
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.stages.head import TransferModel
from pipelines.stages.phase_result import PhaseResult
from pipelines.stages.task import FitSettings, Judge, Task, make_task, whole_model
from pipelines.training import freezing, lora
from pipelines.training.averaging import averaged
from pipelines.training.batchnorm import reestimate
from pipelines.training.callbacks import (
    BestWeights,
    HistoryLines,
    RareReads,
    StopsAtNaN,
    TimeLimit,
)
from pipelines.training.distribution import Distribution
from pipelines.training.guard import Verdict, accuracy_and_loss, settle
from pipelines.training.memory import advice_when_full
from pipelines.training.profiling import (
    CallbackSeconds,
    StepProfile,
    profile_steps,
)
from pipelines.training.progress import Keeper, Place, Remembers, skip_done_steps
from pipelines.training.rate_finder import RateFound, find_rate
from pipelines.training.rates import optimizer_for
from pipelines.training.receipt import (
    Movement,
    Snapshot,
    accept_statistics,
    measure,
    refuse_moved,
    snapshot,
)
from pipelines.training.replicas import in_shares, together, train_in_replicas
from pipelines.training.signals import held_back
from pipelines.training.soup import Soup
from pipelines.training.start import Start
from pipelines.training.team import Team
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
    phase, rate_found = _at_its_rate(task, model, phase, settings)
    steps = steps_per_epoch(splits.train, plan.batch_size)
    profiled = _prepare(task, model, phase, steps * phase.epochs, settings)
    team = settings.distribution.of_phase(phase).team
    accuracy_before, loss_before = _at_start(begun, task, model, phase, team)
    to_reach = -math.inf
    if phase.only_if_better and accuracy_before is not None:
        to_reach = accuracy_before
    best = BestWeights(patience_epochs=phase.patience_epochs, to_reach=to_reach)
    lines = HistoryLines(settings.history_path, phase=phase.name)
    soup = Soup(at_most=phase.soup)
    progress.fit_begins()
    watched = CallbackSeconds() if profiled else None
    remembering: list[Remembers] = [*averaged(phase), best, soup, lines]
    at_nan = StopsAtNaN()
    _fit(task, phase, plan, steps, settings, remembering, at_nan, watched)
    fit_seconds = progress.fit_seconds
    receipt = begun.receipt(phase)
    if not may_explode:
        _refuse_exploded(phase, loss_before, lines, at_nan.step)
    best.restore()
    served = soup.serve(lambda: team.chiefs(_validate(task)))
    reached, _ = served.reached or best.best
    trained_parameters = sum(math.prod(v.shape) for v in task.model.trainable_variables)
    lora.merge(model.backbone.blocks)
    verdict = (
        begun.settled(begun.whole or task)
        if phase.only_if_better
        else Verdict(1.0, reached - (accuracy_before or 0.0), 0.0, reached)
    )
    seen = len(splits.train) * len(lines.epochs)
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
        accuracy_before=accuracy_before,
        accuracy_after=verdict.accuracy,
        # A head trains on features in no time; what costs is the pass before.
        images_per_second=(
            task.images_per_second if phase.trains_head_only else seen / fit_seconds
        ),
        seconds=progress.phase_seconds,
        epochs=tuple(lines.epochs),
        receipt=receipt,
        imbalance=task.feed.imbalance,
        augmentation=task.feed.augmentation,
        profile=profiled
        and dataclasses.replace(profiled, callbacks=watched.median if watched else 0.0),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Begun:
    """What a phase is compared with when it ends.

    Where BatchNorm statistics were re-estimated, blocks below what trains have changed
    too: then the `whole` model is judged, and `reached` is what it did before.
    """

    start: Start
    layers_by_block: Mapping[str, Sequence[keras.layers.Layer]]
    before: Snapshot
    reestimated: Mapping[str, float]
    whole: Judge | None = None
    reached: tuple[float, float] | None = None

    def receipt(self, phase: Phase) -> tuple[Movement, ...]:
        """What has moved until now; nothing that is frozen."""
        movements = measure(
            self.before,
            self.layers_by_block,
            trainable=(*phase.trainable_blocks, HEAD),
            reestimated=self.reestimated,
        )
        statistics_frozen = phase.batchnorm != "trained"
        refuse_moved(phase.name, movements, statistics_frozen=statistics_frozen)
        return movements

    def settled(self, judged: Judge | Task) -> Verdict:
        """Puts the best blend of start and now into a model that is judged."""
        trained = judged.model.get_weights()
        start = self.start.of(judged.model)
        return settle(judged.model, start, trained, judged.validation)


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
    begun = _Begun(Start(model.model), layers, snapshot(layers), {})
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
    trainable = phase.trainable_blocks
    freezing.set_trainable(blocks, trainable, batchnorm=phase.batchnorm)
    if phase.lora_rank:
        lora.attach(blocks, trainable, rank=phase.lora_rank, seed=settings.seed)
    return begun


def _at_start(
    begun: _Begun, task: Task, model: TransferModel, phase: Phase, team: Team
) -> tuple[float | None, float | None]:
    """Accuracy and loss on the validation split before the first step."""
    # What random weights answer says nothing, and validating them builds a graph.
    if model.backbone.weights == "random" and not phase.only_if_better:
        return None, None
    return team.chiefs(begun.reached or _validate(task))


def _at_its_rate(
    task: Task, model: TransferModel, phase: Phase, settings: FitSettings
) -> tuple[Phase, RateFound | None]:
    """The phase at the rate that a range test suggests, if it is to make one."""
    if not phase.find_learning_rate:
        return phase, None
    found = _find_rate(task, model, phase, settings)
    rate = found.suggested or phase.learning_rate
    return dataclasses.replace(phase, learning_rate=rate), found


def _find_rate(
    task: Task, model: TransferModel, phase: Phase, settings: FitSettings
) -> RateFound:
    plain = dataclasses.replace(phase, ema_decay=0.0)
    found = find_rate(
        task.model,
        task.train,
        lambda schedule: _compile(task, model, plain, 1, settings, schedule),
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
    settings: FitSettings,
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
        # Keras would choose it by itself, also where it was measured to be slower.
        jit_compile=settings.xla,
    )


def _prepare(
    task: Task, model: TransferModel, phase: Phase, steps: int, settings: FitSettings
) -> StepProfile | None:
    """Compiles; and says where the seconds of a step go, if that is wanted."""
    _compile(task, model, phase, steps, settings)
    if not settings.profile:
        return None
    _logger.info("phase '%s': profiling some steps, which are undone", phase.name)
    folder = settings.tensorboard_dir / phase.name
    profiled = profile_steps(task.model, task.train, folder=folder)
    # With a new optimizer: that one has taken steps.
    _compile(task, model, phase, steps, settings)
    return profiled


def _fit(
    task: Task,
    phase: Phase,
    plan: TransferPlan,
    steps: int,
    settings: FitSettings,
    callbacks: Sequence[Remembers],
    at_nan: StopsAtNaN,
    watched: CallbackSeconds | None,
) -> None:
    place = settings.progress.place
    if place.has_ended:
        settings.progress.put_back(task.model, callbacks)
        return
    size = plan.batch_size
    distribution = settings.distribution.of_phase(phase)
    if place.step or distribution.strategy is not None:
        _build_metrics(task)
    batches = _batches(task, place, distribution, settings, batch_size=size)
    skip_done_steps(task.model, place.step)
    with (
        held_back() as signals,
        advice_when_full(
            task.model, batches, batch_size=size, replicas=distribution.replicas
        ),
    ):
        keeper = Keeper(settings.progress, callbacks, signals, batch_size=size)
        verbose = 1 if sys.stdout.isatty() else 2
        seen = [
            *([watched.first] if watched else []),
            *together(distribution),
            *callbacks,
            at_nan,
            *_time_limit(distribution, settings),
            keras.callbacks.TensorBoard(
                settings.tensorboard_dir / phase.name, write_graph=False
            ),
            *settings.watch(phase),
            keeper,
            *([watched.last] if watched else []),
        ]
        # What is timed needs every step. And several workers have to stop after the
        # same one, and so to read the same ones.
        reads_all = watched is not None or distribution.strategy is not None
        task.model.fit(
            batches,
            initial_epoch=place.epoch,
            epochs=phase.epochs,
            steps_per_epoch=steps,
            shuffle=False,  # the order of the data set is shuffled already
            validation_data=task.validation,
            verbose=verbose,
            callbacks=seen
            if reads_all
            else RareReads(
                seen,
                model=task.model,
                add_progbar=True,
                verbose=verbose,
                epochs=phase.epochs,
                steps=steps,
            ),
        )


def _time_limit(
    distribution: Distribution, settings: FitSettings
) -> Sequence[keras.callbacks.Callback]:
    """Nothing where several devices train: their step looks at the chief's clock."""
    if distribution.strategy is not None:
        return ()
    return (TimeLimit(settings.deadline_seconds),)


def _batches(
    task: Task,
    place: Place,
    distribution: Distribution,
    settings: FitSettings,
    *,
    batch_size: int,
) -> tf.data.Dataset:
    """What a fit reads; where several devices share it, that is prepared."""
    if distribution.strategy is None:
        return task.train_from(place.epoch, place.step, None)
    train_in_replicas(
        task.model,
        task.feed.loss(),
        distribution,
        deadline_seconds=settings.deadline_seconds,
    )
    share = distribution.share(batch_size)
    return in_shares(
        task.train_from(place.epoch, place.step, share),
        share,
        examples=len(task.feed.splits.train),
        first_step=place.step,
    )


def _build_metrics(task: Task) -> None:
    """What counts inside of an epoch, which else the first step would build."""
    task.model.evaluate(task.validation.take(1), verbose=0)


def _validate(task: Task) -> tuple[float, float]:
    """Accuracy and loss on the validation split."""
    found = task.model.evaluate(task.validation, verbose=0, return_dict=True)
    return found["accuracy"], found["loss"]


class TrainingExplodedError(TrainingError):
    """The loss of a phase left all bounds at a rate."""

    def __init__(self, message: str, *, learning_rate: float) -> None:
        super().__init__(message)
        self.learning_rate = learning_rate


def _refuse_exploded(
    phase: Phase, loss_before: float | None, lines: HistoryLines, nan_step: int | None
) -> None:
    """Raises `TrainingExplodedError` for a loss that is NaN, or many times that before.

    A head that starts from a probe has a small loss, so at least that of guessing
    counts.
    """
    losses = [epoch["loss"] for epoch in lines.epochs]
    # With BatchNorm in training, features are others from the first step on, whatever
    # the rate; then only what is beyond all measure counts.
    before = 1.0 if loss_before is None else max(loss_before, 1.0)
    comparable = np.isfinite(before) and phase.batchnorm == "frozen"
    bound = _EXPLODED * before if comparable else _LARGEST_LOSS
    if all(np.isfinite(loss) and loss < bound for loss in losses):
        return
    seen = "" if nan_step is None else f" (seen at its step {nan_step})"
    raise TrainingExplodedError(
        f"The loss became {losses[-1]:.3g} in epoch {len(losses)}{seen} of phase"
        f" '{phase.name}'. Lower the learning rate (it is {phase.learning_rate:g}) or"
        f" the clip norm ({phase.clip_norm:g}).",
        learning_rate=phase.learning_rate,
    )
