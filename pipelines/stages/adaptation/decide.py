"""Before the head: the method that adapts it, and the plan for that."""

from __future__ import annotations

import dataclasses
import logging

from pipelines.config import RunConfig
from pipelines.errors import ConfigError
from pipelines.methods.adaptation.apply import adapt, measured
from pipelines.methods.adaptation.choice import JOINED, choose
from pipelines.methods.adaptation.domains import Settings
from pipelines.methods.adaptation.head import Adapted, unchanged
from pipelines.planning.adaptation.evidence import Adaptation
from pipelines.planning.adaptation.methods import AUTO, METHODS, NONE
from pipelines.planning.plan import TransferPlan
from pipelines.stages.adaptation.read import TargetRead
from pipelines.training.batchnorm import batchnorm_layers
from zoo.builder import Backbone

PHASE = "adapt"

_logger = logging.getLogger("zootune")


@dataclasses.dataclass(frozen=True, eq=False)
class AdaptedPlan:
    """The plan, the head that its model gets, and the record of the adaptation.

    `adapted` is None where the head is the one of the source, and trains as planned.
    """

    plan: TransferPlan
    record: Adaptation
    adapted: Adapted | None = None


def decide_adaptation(
    read: TargetRead, plan: TransferPlan, config: RunConfig, base: Backbone
) -> AdaptedPlan:
    """Adapts by the method of the config, or as labelled examples choose.

    Raises:
        ConfigError: if BatchNorm is asked for, and the backbone has none.
    """
    asked, settings = config.adapt.method, settings_of(config)
    kept = Adaptation(
        asked=asked,
        method=NONE,
        target=config.adapt.target,
        examples=len(read.split),
        reason=plan.reason.splitlines()[-1],
        before=read.evidence,
        labelled=0 if read.labelled is None else len(read.labelled.labels),
    )
    if asked == AUTO and read.labelled is not None:
        return _by_labels(read, plan, kept, settings)
    if asked not in METHODS:
        return AdaptedPlan(plan, kept)
    record = dataclasses.replace(kept, method=asked)
    if METHODS[asked].passes:
        if not any(batchnorm_layers(block) for block in base.blocks):
            raise ConfigError(
                f"config.adapt.method is '{asked}', and the backbone"
                f" '{base.spec.name}' has no BatchNorm layers whose statistics can be"
                " set. Use another method, or another backbone."
            )
        return AdaptedPlan(
            head_alone(plan, PHASE), record, unchanged(read.domains.probe)
        )
    _logger.info("  adapting by %s to %d examples", asked, len(read.split))
    return _done(read, plan, record, adapt(asked, read.domains, settings))


def settings_of(config: RunConfig) -> Settings:
    """The settings of the methods that train."""
    return Settings(
        units=config.adapt.units,
        weight=config.adapt.weight,
        steps=config.adapt.steps,
        seed=config.seed,
    )


def _by_labels(
    read: TargetRead, plan: TransferPlan, kept: Adaptation, settings: Settings
) -> AdaptedPlan:
    if read.labelled is None:
        raise ValueError("Labelled examples of the target choose.")
    choice = choose(read.domains, read.labelled, settings)
    rows = ", ".join(
        f"{row.name} {row.accuracy:.4f} (gain {row.gain:+.4f}, standard error"
        f" {row.standard_error:.4f})"
        for row in choice.candidates
    )
    verdict = (
        "No gain exceeds its standard error, so that nothing is adapted."
        if choice.name == NONE
        else f"The largest clear gain is of {choice.name}."
    )
    reason = f"Labelled examples of the target, out of fold: {rows}. {verdict}"
    plan = dataclasses.replace(plan, reason=f"{plan.reason}\n{reason}")
    record = dataclasses.replace(
        kept, method=choice.name, reason=reason, candidates=choice.candidates
    )
    if choice.name == NONE:
        return AdaptedPlan(plan, record)
    if choice.name.startswith(JOINED):
        _logger.info("  labelled examples of the target join the training")
    return _done(read, plan, record, choice.adapted)


def _done(
    read: TargetRead, plan: TransferPlan, record: Adaptation, adapted: Adapted
) -> AdaptedPlan:
    head = plan.head
    if adapted.head.hidden_units:  # what it starts from is of no account
        head = dataclasses.replace(
            head, hidden_units=adapted.head.hidden_units, init="zeros"
        )
    after = measured(read.domains, adapted)
    return AdaptedPlan(
        head_alone(dataclasses.replace(plan, head=head), PHASE),
        dataclasses.replace(record, after=after),
        adapted,
    )


def head_alone(plan: TransferPlan, name: str) -> TransferPlan:
    """The plan with one phase, which gives the head; nothing trains after it."""
    phases = tuple(
        dataclasses.replace(
            phase,
            name=name,
            block_multipliers=tuple((name, 0.0) for name, _ in phase.block_multipliers),
            epochs=0,
            only_if_better=False,
        )
        for phase in plan.phases[:1]
    )
    head = dataclasses.replace(plan.head, refit=False)
    return dataclasses.replace(plan, phases=phases, head=head)
