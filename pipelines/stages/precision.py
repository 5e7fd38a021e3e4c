"""Between plan and head: choose the number format that trains faster here.

A few steps on one real batch, with the blocks that the plan trains, in float32 and in
the shorter format that the device has units for. Whatever is measured, weights and
seeds are afterwards as if nothing had been.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.data.input.batches import batches, steps_per_epoch
from pipelines.data.splits import Splits
from pipelines.planning.compute import (
    FLOAT32,
    Compute,
    StepTrial,
    fastest,
    is_repaid,
)
from pipelines.planning.plan import Phase, TransferPlan
from pipelines.probing.probe import Probe
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.runtime.precision import may_use_xla, precision, shorter_format
from pipelines.stages.base import freeze_base
from pipelines.stages.head import add_head
from pipelines.stages.measure import Measured
from pipelines.stages.obtain import obtain
from pipelines.training import freezing
from pipelines.training.rates import optimizer_for
from pipelines.training.transfer_model import TransferModel
from zoo.builder import Backbone
from zoo.graph.folding import folded

# A step is a forward pass and, where all blocks train, about two more backwards.
_FORWARD_PASSES = 3
# Examples that are timed where nothing was measured before.
_FEW = 8
# Keras and TensorFlow build the graph of a step at this pace, or faster.
_TRACING_SECONDS_PER_LAYER = 0.1
# The first step builds the graph; the fastest of the others counts, because nothing
# makes a step faster than it is.
_TIMED_STEPS, _MOST_STEPS, _TIMED_SECONDS = 3, 12, 2.0
# Of two formats, the fewest.
_COMPARED_STEPS = 2 * (1 + _TIMED_STEPS)

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class PrecisionChoice:
    """The chosen number format, and a backbone that computes in it."""

    base: Backbone
    compute: Compute


def choose_precision(
    config: RunConfig,
    base: Backbone,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    clock: Clock,
    *,
    before: Compute | None = None,
) -> PrecisionChoice:
    """Chooses by a few steps in each format, or takes what was chosen `before`.

    float32 is kept without timing if that cannot pay: see the reason.
    """
    if config.precision != "auto":
        compute = Compute(config.precision, reason="as the config says")
        return PrecisionChoice(base, compute)
    if before is not None:
        _logger.info("precision: %s, as before the run was cut short", before.precision)
        if before.precision == FLOAT32:
            return PrecisionChoice(base, before)
        rebuilt = _rebuilt(config, base, splits, before.precision)
        return PrecisionChoice(rebuilt, before)
    phase, why_not = _worth_timing(config, base, splits, measured, plan, clock)
    if phase is None:
        _logger.info("precision: %s: %s", FLOAT32, why_not)
        return PrecisionChoice(base, Compute(FLOAT32, reason=why_not))
    with clock.stage("precision", "a few training steps in each number format"):
        choice = _compared(config, base, splits, measured, plan, phase)
    _logger.info("precision: %s: %s", choice.compute.precision, choice.compute.reason)
    return choice


def _worth_timing(
    config: RunConfig,
    base: Backbone,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    clock: Clock,
) -> tuple[Phase | None, str]:
    """The phase to compare by, or none and why that is not worth it."""
    phases = [phase for phase in plan.phases if not phase.trains_head_only]
    if not phases:
        return None, "no phase trains blocks"
    if config.deterministic == "strict":
        return None, "deterministic='strict' leaves nothing to a clock"
    if shorter_format() is None and not may_use_xla():
        return None, "this machine has no units for a shorter number format"
    if base.spec.carries_weights:
        return None, "a SavedModel computes in a format of its own"
    steps = {phase: _training_steps(phase, base, splits, plan) for phase in phases}
    all_steps = sum(steps.values())
    if not is_repaid(all_steps, _COMPARED_STEPS):
        return None, f"{all_steps:.0f} training steps are too few to compare formats"
    forward = _forward_seconds(base, splits, measured, plan)
    training = forward * _FORWARD_PASSES * all_steps
    step = forward * _FORWARD_PASSES
    layers = len(base.model.layers)
    cost = (
        clock.seconds.get("obtain", 0.0)
        + 2 * _TRACING_SECONDS_PER_LAYER * layers
        + _COMPARED_STEPS * step
    )
    if not is_repaid(training, cost):
        return None, (
            f"training takes about {training:.0f} s, too little to compare formats for"
            f" {cost:.0f} s"
        )
    return max(phases, key=lambda phase: steps[phase]), ""


def _training_steps(
    phase: Phase, base: Backbone, splits: Splits, plan: TransferPlan
) -> float:
    """The steps of a phase, counted as steps through the whole network."""
    steps = phase.epochs * steps_per_epoch(splits.train, plan.batch_size)
    return steps * len(phase.trainable_blocks) / len(base.blocks)


def _forward_seconds(
    base: Backbone, splits: Splits, measured: Measured, plan: TransferPlan
) -> float:
    """Seconds of a batch through the network, as it was when that was measured."""
    size = min(plan.batch_size, len(splits.train))
    if measured.evidence is not None:
        return size / measured.evidence.examples_per_second
    batch, _ = _one_batch(base, splits, plan)
    few = batch[:_FEW]
    times = []
    for _ in range(2):  # the first one warms up
        started = time.perf_counter()
        base.model(few, training=False)
        times.append(time.perf_counter() - started)
    return min(times) * size / len(few)


def _one_batch(base: Backbone, splits: Splits, plan: TransferPlan) -> tuple:
    size = plan.batch_size
    some = splits.train.take(np.arange(min(size, len(splits.train))))
    read = batches(some, input_size_px=base.input_size_px, batch_size=size)
    return next(iter(read))


def _compared(
    config: RunConfig,
    base: Backbone,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    phase: Phase,
) -> PrecisionChoice:
    """Each in turn: two optimizers at once would take more memory."""
    bench = _Bench(
        plan=plan,
        phase=phase,
        problem=problem_of(splits),
        probe=measured.probe(plan.head),
        batch=_one_batch(base, splits, plan),
        steps=phase.epochs * steps_per_epoch(splits.train, plan.batch_size),
        keeps_activations=config.augment.strength in ("auto", "none"),
    )
    plain = bench.run(base, FLOAT32)
    freeze_base(base)
    bases, tried = {FLOAT32: base}, [plain.trial]
    try:
        shorter = shorter_format()
        if shorter is not None:
            bases[shorter] = _rebuilt(config, base, splits, shorter)
            tried.append(bench.run(bases[shorter], shorter, like=plain).trial)
        if may_use_xla():
            best = fastest(tried).precision
            tried_xla = bench.run(bases[best], best, like=plain, xla=True)
            tried.append(tried_xla.trial)
    except tf.errors.ResourceExhaustedError:
        _logger.warning("Memory did not suffice for a comparison of number formats.")
    compute = fastest(tried)
    return PrecisionChoice(freeze_base(bases[compute.precision]), compute)


def _rebuilt(config: RunConfig, base: Backbone, splits: Splits, name: str) -> Backbone:
    """The same backbone with the same weights, in another number format."""
    with precision(name):
        rebuilt = freeze_base(obtain(config, splits.train.inputs))
    values = [keras.ops.convert_to_numpy(v) for v in base.model.variables]
    _assign(rebuilt.model, values)
    return rebuilt


@dataclasses.dataclass(frozen=True, eq=False)
class _Tried:
    """A trial, the logits it began with, and all that it began with."""

    trial: StepTrial
    logits: np.ndarray
    start: Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class _Bench:
    """The parts that all trials share."""

    plan: TransferPlan
    phase: Phase
    problem: Problem
    probe: Probe | None
    batch: tuple[tf.Tensor, tf.Tensor]
    steps: int
    keeps_activations: bool

    def run(
        self,
        base: Backbone,
        name: str,
        *,
        like: _Tried | None = None,
        xla: bool = False,
    ) -> _Tried:
        """Trains some steps from the weights of another trial, and undoes them."""
        _logger.info("  steps in %s%s", name, " with XLA" if xla else "")
        inputs, labels = self.batch
        # A head of zeros would agree in any format.
        start = self.plan.head.init if self.probe else "epsilon"
        with precision(name):
            model = add_head(
                base,
                classes=self.problem.units,
                plan=dataclasses.replace(self.plan.head, init=start),
                probe=self.probe,
                output_layers=self.problem.output_layers(self.probe),
            )
            if like is not None:
                _assign(model.model, like.start)
            values = [
                np.array(keras.ops.convert_to_numpy(v)) for v in model.model.variables
            ]
            logits = np.asarray(model.model(inputs, training=False), np.float64)
            seconds = self._step_seconds(model, inputs, labels, xla=xla)
        _assign(model.model, values)
        plain = logits if like is None else like.logits
        trial = StepTrial(
            precision=name,
            xla=xla,
            seconds=seconds,
            logit_difference=_spread(logits - plain) / (float(plain.std()) or 1.0),
            loss_difference=self._loss_difference(logits, plain, labels.numpy()),
        )
        return _Tried(trial, logits, values)

    def _step_seconds(
        self, model: TransferModel, inputs: tf.Tensor, labels: tf.Tensor, *, xla: bool
    ) -> float:
        blocks, phase = model.backbone.blocks, self.phase
        freezing.set_trainable(
            blocks, phase.trainable_blocks, batchnorm=phase.batchnorm
        )
        depth = freezing.frozen_depth(blocks, phase.trainable_blocks)
        trained, pooled_blocks = model.model, model.pooled_blocks
        if depth and self.keeps_activations:
            lower, upper = freezing.split_at(
                trained, blocks, depth, pooled_blocks=pooled_blocks
            )
            inputs, trained = lower(inputs, training=False), folded(upper)
        else:
            trained = freezing.behind_frozen(
                trained, blocks, depth, pooled_blocks=pooled_blocks
            )
        trained.compile(
            optimizer=optimizer_for(
                phase,
                rate_multipliers=[1.0] * len(trained.trainable_variables),
                steps=self.steps,
            ),
            loss=self.problem.loss(soft=False),
            weighted_metrics=self.problem.epoch_metrics(),
            jit_compile=xla,
        )
        trained.train_on_batch(inputs, labels)  # builds the graph
        times: list[float] = []
        while len(times) < _TIMED_STEPS or (
            len(times) < _MOST_STEPS and sum(times) < _TIMED_SECONDS
        ):
            started = time.perf_counter()
            trained.train_on_batch(inputs, labels)
            times.append(time.perf_counter() - started)
        return min(times)

    def _loss_difference(
        self, logits: np.ndarray, plain: np.ndarray, labels: np.ndarray
    ) -> float:
        """As a share of the loss in float32, or of 1 where that is smaller."""

        def loss(of: np.ndarray) -> float:
            return -float(self.problem.judge(of, labels).log_p.mean())

        plain_loss = loss(plain)
        return abs(loss(logits) - plain_loss) / max(1.0, plain_loss)


def _assign(model: keras.Model, values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)


def _spread(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))
