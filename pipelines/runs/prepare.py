"""From a config to a plan: what `zoo plan` prints, and what a run starts from."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Protocol

import keras
import numpy as np

from pipelines.config import AUTO_BACKBONE, RunConfig
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.folds import (
    folds_of,
    pooled,
    require_one_in_each,
    without_fold,
)
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import DataInfo, Examples, Splits
from pipelines.features.block_vectors import parts_of
from pipelines.planning.backbones.choice import BackboneChoice
from pipelines.planning.compute import Compute
from pipelines.planning.folds import folded, solves_folds
from pipelines.planning.plan import HeadPlan, TransferPlan
from pipelines.probing.probe import Probe
from pipelines.problems.protocol import Outputs, Problem
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.runtime.precision import precision
from pipelines.stages.adaptation.decide import AdaptedPlan
from pipelines.stages.adaptation.read import TargetRead, read_domains, with_advice
from pipelines.stages.backbones.choose import applied, choose_backbone
from pipelines.stages.base import fit_base, freeze_base
from pipelines.stages.explain import explained_map
from pipelines.stages.folds.measure import measure_pooled, require_memory
from pipelines.stages.measure import Measured, measure
from pipelines.stages.obtain import obtain, with_backbone
from pipelines.stages.plan import choose_plan
from pipelines.stages.precision import choose_precision
from pipelines.stages.unlabelled.decide import HelpedPlan
from pipelines.training.class_weighting import refuse_augmentation, refuse_views
from zoo.builder import Backbone


class Described(Protocol):
    """What a model card is made of: `Prepared`, or a run with changed classes."""

    @property
    def base(self) -> Backbone:
        """The backbone."""

    @property
    def info(self) -> DataInfo:
        """Facts about the data."""

    @property
    def plan(self) -> TransferPlan:
        """The plan of the run."""

    @property
    def problem(self) -> Problem:
        """The problem that the labels are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that is known before anything is trained.

    `compute` has the measurements behind the precision of the plan, and `choice` the
    comparison of backbones where the config left it to be measured. With `folds`
    train and validation of the splits are the same examples. `target` is the domain to
    adapt to, if there is one, and `adaptation` what was decided on it: then `plan` is
    its plan. `unlabelled` is what was decided on examples without labels.
    """

    base: Backbone
    splits: Splits
    measured: Measured
    plan: TransferPlan
    compute: Compute
    choice: BackboneChoice | None = None
    folds: int = 0
    target: TargetRead | None = None
    adaptation: AdaptedPlan | None = None
    unlabelled: HelpedPlan | None = None

    @property
    def info(self) -> DataInfo:
        """Facts about the data."""
        return self.splits.info

    @functools.cached_property
    def problem(self) -> Problem:
        """The problem that the labels are of."""
        return problem_of(self.splits)

    def probe(self) -> Probe | None:
        """The probe that the head of the plan starts from, if there is one."""
        return self.measured.probe(self.plan.head, balanced=self.plan.balances_classes)

    def left_out(self) -> Outputs | None:
        """The outputs for validation of heads that each leave out one of its examples.

        None unless the head of the plan is solved for validation too.
        """
        logits = self.measured.left_out(self.plan.head)
        if logits is None:
            return None
        validation = self.splits.validation
        parts = parts_of(self.measured.validation, self.plan.head)
        features = np.concatenate(parts, axis=1).astype(np.float32)
        return Outputs(validation.name, validation.labels, logits, features)

    def head(self) -> dict[str, Any]:
        """The arguments of `add_head`, besides the base."""
        return self.head_of(self.plan.head, self.probe())

    def head_of(self, plan: HeadPlan, probe: Probe | None) -> dict[str, Any]:
        """The arguments of `add_head`, besides the base, for another head."""
        return {
            "classes": self.problem.units,
            "plan": plan,
            "probe": probe,
            "output_layers": self.problem.output_layers(probe),
        }


def prepare(
    config: RunConfig,
    dataset: DatasetRef,
    clock: Clock,
    *,
    before: Compute | None = None,
    chosen_before: BackboneChoice | None = None,
) -> Prepared:
    """Obtains the base, checks and splits the data, measures, and decides.

    `dataset` is the reference of the config, `before` what an interrupted run chose to
    compute in, and `chosen_before` the backbone that it chose. The base computes in the
    precision of the plan; the head has to, too. Writes nothing but caches.

    Raises:
        ConfigError, DataError, BackboneError, TrainingError: see the stages.
    """
    with precision(config.precision):
        return _prepare(config, dataset, clock, before, chosen_before)


def _prepare(
    config: RunConfig,
    dataset: DatasetRef,
    clock: Clock,
    before: Compute | None,
    chosen_before: BackboneChoice | None,
) -> Prepared:
    keras.utils.set_random_seed(config.seed)
    examples = read(dataset, config.problem)
    config = with_backbone(config, examples.inputs)
    refuse_augmentation(config.augment, examples.inputs)
    refuse_views(config.test_views, examples.inputs)
    split = functools.cache(lambda: _split(examples, dataset, config, clock))
    choice = None
    if config.backbone == AUTO_BACKBONE:
        choice = chosen_before or choose_backbone(config, split(), clock)
        config = applied(config, choice)
        keras.utils.set_random_seed(config.seed)
    with clock.stage("obtain", f"{config.backbone}, weights {config.weights}"):
        base = freeze_base(obtain(config, examples.inputs))
    if config.export.explain:
        explained_map(base)  # refused now, and not after the training
    splits = split()
    with (
        clock.stage("measure", "what the features are worth on these data"),
        broken_files_named(splits.train, splits.validation),
    ):
        base = fit_base(base, splits.train, seed=config.seed)
        measure_all = measure_pooled if config.folds else measure
        measured = measure_all(base, splits, config, clock)
    decided = choose_plan(base, _planned_for(splits, config), measured, config)
    plan = folded(decided, config)
    target = _target(config, splits, measured, plan, clock)
    if target is not None:
        plan = with_advice(plan, target, config)
    if config.folds:
        require_memory(measured, plan.head, examples=len(splits.train))
    chosen = choose_precision(
        config, base, splits, measured, plan, clock, before=before
    )
    plan = dataclasses.replace(
        plan,
        precision=chosen.compute.precision,
        xla=chosen.compute.xla,
        reason=plan.reason if choice is None else f"{choice.reason}\n{plan.reason}",
    )
    measured = measured.for_base(chosen.base)
    return Prepared(
        chosen.base,
        splits,
        measured,
        plan,
        chosen.compute,
        choice,
        config.folds,
        target,
    )


def _planned_for(splits: Splits, config: RunConfig) -> Splits:
    """The splits that a plan is for: of one fold, where each trains a network."""
    if not config.folds or solves_folds(config):
        return splits
    train = splits.train
    folds = folds_of(
        train.labels,
        train.groups,
        problem=splits.info.problem,
        count=config.folds,
        seed=config.seed,
    )
    return without_fold(splits, folds == 0)


def _target(
    config: RunConfig,
    splits: Splits,
    measured: Measured,
    plan: TransferPlan,
    clock: Clock,
) -> TargetRead | None:
    """The domain to adapt to, read and measured; None without one."""
    if not config.adapt.target:
        return None
    with clock.stage("target", config.adapt.target):
        return read_domains(config, splits, measured, plan)


def _split(
    examples: Examples, dataset: DatasetRef, config: RunConfig, clock: Clock
) -> Splits:
    """The splits of the examples, checked; files are read."""
    with clock.stage("data", config.data):
        splits = check_and_split(examples, dataset, on_progress=clock.progress)
        problem_of(splits).check_config(config)
        if config.folds:
            splits = pooled(splits)
            require_one_in_each(splits, count=config.folds)
    return splits
