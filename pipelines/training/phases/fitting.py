"""The steps of one phase: compiled, tried for a rate or a profile, and fitted."""

from __future__ import annotations

import dataclasses
import logging
import sys
from collections.abc import Sequence
from typing import TextIO

import keras
import tensorflow as tf

from pipelines.planning.plan import Phase
from pipelines.runtime.signals import held_back
from pipelines.training.averaging import averaged
from pipelines.training.callbacks import (
    BestWeights,
    HistoryLines,
    StopsAtNaN,
    ThrottledCallbacks,
    TimeLimit,
)
from pipelines.training.distributed.distribution import Distribution
from pipelines.training.distributed.replicas import (
    in_shares,
    sync_callbacks,
    train_in_replicas,
)
from pipelines.training.memory import advice_when_full
from pipelines.training.phases.task import FitSettings, Task
from pipelines.training.profiling import (
    CallbackSeconds,
    StepProfile,
    profile_steps,
)
from pipelines.training.progress import Keeper, Stateful, skip_done_steps
from pipelines.training.rate_finder import RateFound, find_rate
from pipelines.training.rates import optimizer_for
from pipelines.training.soup import Soup
from zoo.builder import Block

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class Watching:
    """What a fit is seen by, and knows afterwards.

    `stateful` are those that are others after every epoch, in the order in which
    they are asked. `timed` is there where the seconds of a step are wanted.
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


def watching(
    phase: Phase,
    settings: FitSettings,
    *,
    to_reach: float,
    loss_to_reach: float,
) -> Watching:
    """What watches a phase whose epochs below an accuracy are no better than none."""
    best = BestWeights(
        patience_epochs=phase.patience_epochs,
        to_reach=to_reach,
        loss_to_reach=loss_to_reach,
    )
    soup = Soup(at_most=phase.soup)
    lines = HistoryLines(settings.history_path, phase=phase.name)
    return Watching(
        best,
        soup,
        lines,
        stateful=(*averaged(phase), best, soup, lines),
        at_nan=StopsAtNaN(),
        timed=CallbackSeconds() if settings.profile else None,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Fitting:
    """A phase that is about to train: all that its steps need."""

    task: Task
    phase: Phase
    blocks: Sequence[Block]
    batch_size: int
    steps_per_epoch: int
    settings: FitSettings

    @property
    def distribution(self) -> Distribution:
        return self.settings.distribution.of_phase(self.phase)

    def at_its_rate(self) -> tuple[Fitting, RateFound | None]:
        """The same at the rate that a range test suggests, if it is to make one."""
        if not self.phase.find_learning_rate:
            return self, None
        plain = self._with(dataclasses.replace(self.phase, ema_decay=0.0))
        found = find_rate(self.task.model, self.task.train, plain.compile)
        _logger.info(
            "phase '%s': a range test of %d steps suggests the rate %s; planned was %g",
            self.phase.name,
            len(found.rates),
            "of the plan" if found.suggested is None else f"{found.suggested:.3g}",
            self.phase.learning_rate,
        )
        rate = found.suggested or self.phase.learning_rate
        return self._with(dataclasses.replace(self.phase, learning_rate=rate)), found

    def _with(self, phase: Phase) -> Fitting:
        return dataclasses.replace(self, phase=phase)

    def compile(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule | None = None,
    ) -> None:
        """A new optimizer, with a rate for every variable."""
        trained = self.task.model
        factors = dict(self.phase.block_multipliers)
        multiplier = {
            id(variable): factors[block.name]
            for block in self.blocks
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
            weighted_metrics=["accuracy"],
            # Keras would choose it by itself, also where it was measured to be slower.
            jit_compile=self.settings.xla,
        )

    def profile(self) -> StepProfile | None:
        """Where the seconds of a compiled step go, if that is wanted."""
        if not self.settings.profile:
            return None
        name = self.phase.name
        _logger.info("phase '%s': profiling some steps, which are undone", name)
        folder = self.settings.tensorboard_dir / name
        profiled = profile_steps(self.task.model, self.task.train, folder=folder)
        # With a new optimizer: that one has taken steps.
        self.compile()
        return profiled

    def run(self, watch: Watching) -> None:
        """Fits from where the progress of the run is; nothing if that has ended."""
        place, model = self.settings.progress.place, self.task.model
        if place.has_ended:
            self.settings.progress.restore(model, watch.stateful)
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
            keeper = Keeper(
                self.settings.progress,
                watch.stateful,
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
                callbacks=self._callbacks(watch, keeper, verbose=verbose),
            )

    def _callbacks(
        self, watch: Watching, keeper: Keeper, *, verbose: int
    ) -> list[keras.callbacks.Callback] | ThrottledCallbacks:
        distribution, settings = self.distribution, self.settings
        seen = [
            *([watch.timed.first] if watch.timed else []),
            *sync_callbacks(distribution),
            *watch.stateful,
            watch.at_nan,
            *_time_limit(distribution, settings),
            keras.callbacks.TensorBoard(
                settings.tensorboard_dir / self.phase.name, write_graph=False
            ),
            *settings.watch(self.phase),
            keeper,
            *([watch.timed.last] if watch.timed else []),
        ]
        # What is timed needs every step. And several workers have to stop after the
        # same one, and so to read the same ones.
        if watch.timed or distribution.strategy is not None:
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
        """What a fit reads; where several devices share it, that is prepared."""
        distribution, place = self.distribution, self.settings.progress.place
        if distribution.strategy is None:
            return self.task.train_from(place.epoch, place.step, None)
        train_in_replicas(
            self.task.model,
            self.task.feed.loss(),
            distribution,
            deadline_seconds=self.settings.deadline_seconds,
        )
        share = distribution.share(self.batch_size)
        return in_shares(
            self.task.train_from(place.epoch, place.step, share),
            share,
            examples=len(self.task.feed.splits.train),
            first_step=place.step,
        )

    def _build_metrics(self) -> None:
        """What counts inside of an epoch, which else the first step would build."""
        self.task.model.evaluate(self.task.validation.take(1), verbose=0)


def _verbosity(stream: TextIO | None) -> int:
    """Of Keras: 1 is a bar, 2 a line per epoch. A service may have no stream at all.

    And what stands in its place, as a logger, may have nothing but `write` and `flush`.
    """
    if stream is None:
        return 0
    return 1 if getattr(stream, "isatty", bool)() else 2


def _time_limit(
    distribution: Distribution, settings: FitSettings
) -> Sequence[keras.callbacks.Callback]:
    """Nothing where several devices train: their step looks at the chief's clock."""
    if distribution.strategy is not None:
        return ()
    return (TimeLimit(settings.deadline_seconds),)
