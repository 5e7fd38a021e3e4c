"""After the plan: the features of a target, and how far they are from the source."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.config import RunConfig
from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.domains.target import read_labelled, read_target, source_of
from pipelines.data.input.batches import batches
from pipelines.data.splits import Split, Splits
from pipelines.errors import ConfigError
from pipelines.features.block_vectors import parts_of
from pipelines.methods.adaptation.apply import measured as measured_domains
from pipelines.methods.adaptation.choice import Labelled
from pipelines.methods.adaptation.domains import Domains
from pipelines.methods.adaptation.head import unchanged
from pipelines.planning.adaptation.evidence import DomainEvidence, advice, in_words
from pipelines.planning.adaptation.methods import AUTO, FEWEST_LABELLED, METHODS, NONE
from pipelines.planning.plan import TransferPlan
from pipelines.runtime.clock import Ticker
from pipelines.stages.measure import Measured


@dataclasses.dataclass(frozen=True, eq=False)
class TargetRead:
    """Examples of a target, features of both domains, and measurements of them.

    `labelled` are the features of labelled target examples, where there are some.
    """

    split: Split
    domains: Domains
    evidence: DomainEvidence
    labelled: Labelled | None = None


def read_domains(
    config: RunConfig, splits: Splits, measured: Measured, plan: TransferPlan
) -> TargetRead | None:
    """The target of a config as the head of the plan reads it; None without a target.

    Raises:
        ConfigError: if the head of the plan has no closed form.
        DataError: if the target cannot be adapted to.
    """
    adapt, head = config.adapt, plan.head
    if not adapt.target:
        return None
    probe = measured.probe(
        dataclasses.replace(head, refit=False), balanced=plan.balances_classes
    )
    if measured.known is None or probe is None or splits.train.weights is not None:
        raise ConfigError(
            "config.adapt.target is set, and methods of adaptation begin from a head in"
            " closed form on features of a trained network, for examples that count the"
            " same. Name a backbone with weights, leave head.pooling and sample weights"
            " out, or leave config.adapt.target out."
        )
    known = source_of(splits)
    split = read_target(adapt.target, known)
    labelled = None
    if adapt.labelled:
        some = read_labelled(adapt.labelled, known, fewest=FEWEST_LABELLED)
        groups = np.arange(len(some)) if some.groups is None else some.groups
        labelled = Labelled(features_of(some, measured, plan), some.labels, groups)
    validation = splits.validation
    source = np.concatenate(parts_of(measured.train, head), axis=1)
    domains = Domains(
        probe,
        source.astype(np.float32),
        np.tile(measured.labels, measured.views),
        np.tile(np.arange(len(measured.labels)), measured.views),
        np.concatenate(parts_of(measured.validation, head), axis=1).astype(np.float32)
        if measured.is_whole
        else features_of(validation, measured, plan),
        validation.labels,
        features_of(split, measured, plan),
    )
    evidence = measured_domains(domains, unchanged(probe))
    return TargetRead(split, domains, evidence, labelled)


def features_of(split: Split, measured: Measured, plan: TransferPlan) -> np.ndarray:
    """The features of a split as the head reads them, float32 `[n, width]`."""
    known = measured.known
    if known is None:
        raise ValueError("A target is read by the graph that measured the source.")
    stream = batches(
        split, input_size_px=known.backbone.input_size_px, batch_size=plan.batch_size
    )
    only = [known.keys.index((name, plan.head.grid)) for name in plan.head.reads]
    with broken_files_named(split):
        parts = known.reader.extract(
            stream, only=only, on_progress=Ticker(f"the {split.name}", len(split))
        )
    return np.concatenate(parts, axis=1).astype(np.float32)


def with_advice(
    plan: TransferPlan, read: TargetRead, config: RunConfig
) -> TransferPlan:
    """The plan with what was measured of the target, and what the method is to do."""
    adapt = config.adapt
    words = f"Target {adapt.target}: {in_words(read.evidence)}."
    if adapt.method in METHODS:
        method = METHODS[adapt.method]
        words += f" Adapts by {method.name}: {method.words}. {advice(read.evidence)}"
    elif adapt.method == NONE:
        words += (
            f" Does not adapt, as config.adapt.method says. {advice(read.evidence)}"
        )
    elif adapt.method == AUTO and read.labelled is not None:
        words += f" {len(read.labelled.labels)} labelled examples of it choose."
    else:
        words += (
            f" Does not adapt: no label of the target could show a gain, and no choice"
            f" without labels was safe. {advice(read.evidence)}"
            f" {FEWEST_LABELLED} labelled examples in config.adapt.labelled decide it."
        )
    return dataclasses.replace(plan, reason=f"{plan.reason}\n{words}")
