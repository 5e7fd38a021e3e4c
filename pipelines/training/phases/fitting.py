"""The steps of one phase: compiled, tried for a rate or a profile, and fitted."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Sequence
from typing import TextIO

import keras
import tensorflow as tf

from pipelines.data.input.batches import steps_per_epoch
from pipelines.errors import ConfigError
from pipelines.planning.plan import Phase
from pipelines.problems.protocol import Problem
from pipelines.runtime.signals import held_back
from pipelines.training.averaging import averaged
from pipelines.training.callbacks import (
    BestWeights,
    HistoryLines,
    StopsAtNaN,
    ThrottledCallbacks,
    TimeLimit,
    sees_steps,
)
from pipelines.training.distributed.distribution import Distribution
from pipelines.training.distributed.replicas import (
    in_shares,
    sync_callbacks,
    train_in_replicas,
)
from pipelines.training.memory import advice_when_full
from pipelines.training.phases.task import PhaseInputs, PhaseTask
from pipelines.training.phases.workspace import Workspace
from pipelines.training.profiling import (
    CallbackSeconds,
    StepProfile,
    profile_steps,
)
from pipelines.training.progress import ProgressSaver, Stateful, skip_done_steps
from pipelines.training.rate_finder import RateFound, find_rate
from pipelines.training.rates import optimizer_for
from pipelines.training.soup import Soup

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class PhaseCallbacks:
    """The callbacks of one phase; their results are read after `fit`.

    `stateful` are the callbacks whose state is saved, in the order in which they
    are called. `timed` is there if steps are timed.
    """

    best: BestWeights
    soup: Soup
    lines: HistoryLines
    stateful: Sequence[Stateful]
    at_nan: StopsAtNaN
    timed: CallbackSeconds | None

    def with_callbacks(self, profiled: StepProfile | None) -> StepProfile | None:
        """The profile, with what the callbacks of a step took."""
        if profiled is None or self.timed is None:
            return profiled
        return dataclasses.replace(profiled, callbacks=self.timed.median)


def phase_callbacks(
    phase: Phase,
    workspace: Workspace,
    *,
    to_reach: float,
    loss_to_reach: float,
    metric: str,
) -> PhaseCallbacks:
    """The callbacks of a phase that has to reach a loss, and the metric of an epoch."""
    best = BestWeights(
        patience_epochs=phase.patience_epochs,
        to_reach=to_reach,
        loss_to_reach=loss_to_reach,
        metric=metric,
    )
    soup = Soup(at_most=phase.soup, metric=metric)
    lines = HistoryLines(workspace.history_path, phase=phase.name)
    return PhaseCallbacks(
        best,
        soup,
        lines,
        stateful=(*averaged(phase), best, soup, lines),
        at_nan=StopsAtNaN(),
        timed=CallbackSeconds() if workspace.profile else None,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Fitting:
    """A phase that is about to train: all that its steps need."""

    inputs: PhaseInputs
    task: PhaseTask

    @property
    def phase(self) -> Phase:
        """The phase, at the rate that its steps take."""
        return self.inputs.phase

    @property
    def batch_size(self) -> int:
        """The rows of a batch, over all workers."""
        return self.inputs.plan.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """The steps that see every training example once."""
        return steps_per_epoch(self.inputs.splits.train, self.batch_size)

    @property
    def distribution(self) -> Distribution:
        """The devices that share the steps of the phase."""
        return self.inputs.workspace.distribution.of_phase(self.phase)

    def at_its_rate(self) -> tuple[Fitting, RateFound | None]:
        """The same at the rate that a range test suggests, if it is to make one."""
        if not self.phase.find_learning_rate:
            return self, None
        plain = self._with(dataclasses.replace(self.phase, ema_decay=0.0))
        tested = find_rate(self.task.model, self.task.train, plain.compile)
        _logger.info(
            "phase '%s': a range test of %d steps suggests the rate %s; planned was %g",
            self.phase.name,
            len(tested.rates),
            "of the plan" if tested.suggested is None else f"{tested.suggested:.3g}",
            self.phase.learning_rate,
        )
        rate = tested.suggested or self.phase.learning_rate
        return self._with(dataclasses.replace(self.phase, learning_rate=rate)), tested

    def _with(self, phase: Phase) -> Fitting:
        inputs = dataclasses.replace(self.inputs, phase=phase)
        return dataclasses.replace(self, inputs=inputs)

    def compile(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
    ) -> None:
        """A new optimizer, with a rate for every variable."""
        trained = self.task.model
        factors = dict(self.phase.block_multipliers)
        multiplier = {
            id(variable): factors[block.name]
            for block in self.inputs.model.backbone.blocks
            for variable in block.variables
        }
        trained.compile(
            optimizer=optimizer_for(
                self.phase,
                rate_multipliers=[
                    multiplier.get(id(v), 1.0) for v in trained.trainable_variables
                ],
                steps=self.steps_per_epoch * self.phase.epochs,
                schedule=schedule,
            ),
            loss=self.task.feed.loss(),
            # With weights where the batches have them, and else as it is.
            weighted_metrics=self.task.feed.epoch_metrics(),
            # Keras would choose it by itself, also where it was measured to be slower.
            jit_compile=self.inputs.plan.xla,
        )

    def profile(self) -> StepProfile | None:
        """The times of the parts of a compiled step, with `profile`."""
        workspace = self.inputs.workspace
        if not workspace.profile:
            return None
        name = self.phase.name
        _logger.info("phase '%s': profiling some steps, which are undone", name)
        folder = workspace.tensorboard_dir / name
        profiled = profile_steps(self.task.model, self.task.train, folder=folder)
        # With a new optimizer: that one has taken steps.
        self.compile()
        return profiled

    def run(self, watched: PhaseCallbacks) -> None:
        """Fits from where the progress of the run is; nothing if that has ended."""
        progress, model = self.inputs.workspace.progress, self.task.model
        place = progress.place
        if place.has_ended:
            progress.restore(model, watched.stateful)
            return
        distribution = self.distribution
        if place.step or distribution.strategy is not None:
            self._build_metrics()
        batches = self._batches()
        skip_done_steps(model, place.step)
        full = advice_when_full(
            model, batches, batch_size=self.batch_size, replicas=distribution.replicas
        )
        with held_back() as signals, full:
            saver = ProgressSaver(
                progress,
                watched.stateful,
                signals,
                batch_size=self.batch_size,
            )
            verbose = _verbosity(sys.stdout)
            model.fit(
                batches,
                initial_epoch=place.epoch,
                epochs=self.phase.epochs,
                steps_per_epoch=self.steps_per_epoch,
                shuffle=False,  # the order of the data set is shuffled already
                validation_data=self.task.validation,
                verbose=verbose,
                callbacks=self._callbacks(watched, saver, verbose=verbose),
            )

    def _callbacks(
        self, watched: PhaseCallbacks, saver: ProgressSaver, *, verbose: int
    ) -> list[keras.callbacks.Callback] | ThrottledCallbacks:
        distribution, workspace = self.distribution, self.inputs.workspace
        others = workspace.callbacks(self.phase)
        seen = [
            *([watched.timed.first] if watched.timed else []),
            *sync_callbacks(distribution),
            *watched.stateful,
            watched.at_nan,
            *_time_limit(distribution, workspace),
            keras.callbacks.TensorBoard(
                workspace.tensorboard_dir / self.phase.name, write_graph=False
            ),
            *others,
            saver,
            *([watched.timed.last] if watched.timed else []),
        ]
        # What is timed needs every step. And several workers have to stop after the
        # same one, and so to read the same ones.
        is_shared = distribution.strategy is not None
        if watched.timed or is_shared or any(map(sees_steps, others)):
            return seen
        return ThrottledCallbacks(
            seen,
            model=self.task.model,
            add_progbar=True,
            verbose=verbose,
            epochs=self.phase.epochs,
            steps=self.steps_per_epoch,
        )

    def _batches(self) -> tf.data.Dataset:
        """The batches of a fit, in shares if several devices train."""
        distribution, workspace = self.distribution, self.inputs.workspace
        place = workspace.progress.place
        if distribution.strategy is None:
            return self.task.train_from(place.epoch, place.step, None)
        _require_replicas(self.task.feed.problem)
        train_in_replicas(
            self.task.model,
            self.task.feed.loss(),
            distribution,
            deadline_seconds=workspace.deadline_seconds,
        )
        share = distribution.share(self.batch_size)
        return in_shares(
            self.task.train_from(place.epoch, place.step, share),
            share,
            examples=len(self.task.feed.splits.train),
            first_step=place.step,
        )

    def _build_metrics(self) -> None:
        """Builds the metrics, which the first step would build otherwise."""
        self.task.model.evaluate(self.task.validation.take(1), verbose=0)


def _require_replicas(problem: Problem) -> None:
    """Raises `ConfigError` where several devices cannot share a batch."""
    if not problem.trains_in_replicas:
        raise ConfigError(
            f"config.problem is {problem.name!r}, and several devices share the batches"
            " of 'single_label' only. Set config.distribution='none'."
        )


def _verbosity(stream: TextIO | None) -> int:
    """Of Keras: 1 is a bar, 2 a line per epoch. A service may have no stream at all.

    And what stands in its place, as a logger, may have nothing but `write` and `flush`.
    """
    if stream is None:
        return 0
    return 1 if getattr(stream, "isatty", bool)() else 2


def _time_limit(
    distribution: Distribution, workspace: Workspace
) -> Sequence[keras.callbacks.Callback]:
    """Nothing where several devices train: their step looks at the chief's clock."""
    if distribution.strategy is not None:
        return ()
    return (TimeLimit(workspace.deadline_seconds),)
