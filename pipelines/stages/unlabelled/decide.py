"""Before the head: what examples without labels are worth, and the plan with them."""

from __future__ import annotations

import dataclasses

import numpy as np

from pipelines.config import RunConfig
from pipelines.data.domains.pool import read_pool
from pipelines.data.domains.target import source_of
from pipelines.data.splits import Splits
from pipelines.errors import ConfigError
from pipelines.features.block_vectors import parts_of
from pipelines.methods.unlabelled.choice import Partly, choose
from pipelines.methods.unlabelled.judged import NONE, PROPAGATION, Unlabelled, in_words
from pipelines.planning.plan import TransferPlan
from pipelines.probing.probe import Probe
from pipelines.stages.adaptation.decide import head_alone
from pipelines.stages.adaptation.read import features_of
from pipelines.stages.measure import Measured

PHASE = "unlabelled"
# More of them hardly change the head, and each is a row of what is solved.
MOST = 5000


@dataclasses.dataclass(frozen=True, eq=False)
class HelpedPlan:
    """The plan, the record, and the head that learned from unlabelled examples.

    `head` is None where that was not clearly better: then the plan goes on as before.
    """

    plan: TransferPlan
    record: Unlabelled
    head: Probe | None


def decide_unlabelled(
    config: RunConfig, splits: Splits, measured: Measured, plan: TransferPlan
) -> HelpedPlan:
    """Reads the examples of `config.unlabelled`, and judges if the head learns of them.

    Raises:
        ConfigError: if the head of the plan has no closed form.
        DataError: if the examples cannot be learned from.
    """
    head = dataclasses.replace(plan.head, refit=False)
    probe = measured.probe(head, balanced=plan.balances_classes)
    if measured.known is None or probe is None or splits.train.weights is not None:
        raise ConfigError(
            "config.unlabelled is set, and labels spread on features of a trained"
            " network, to a head in closed form, for examples that count the same."
            " Name a backbone with weights, leave head.pooling and sample weights out,"
            " or leave config.unlabelled out."
        )
    pool = read_pool(config.unlabelled, source_of(splits), field="config.unlabelled")
    count = len(pool.split)
    rng = np.random.default_rng(config.seed)
    rows = np.sort(rng.permutation(count)[:MOST])
    partly = Partly(
        np.concatenate(parts_of(measured.train, head), axis=1).astype(np.float32),
        measured.labels,
        np.arange(len(measured.labels)),
        features_of(pool.split.take(rows), measured, plan),
        len(probe.bias),
        config.seed,
    )
    choice = choose(partly)
    reason = in_words(choice.judged)
    record = Unlabelled(
        reference=config.unlabelled,
        examples=len(rows),
        known=pool.known,
        method=NONE if choice.head is None else PROPAGATION,
        reason=reason,
        judged=choice.judged,
    )
    plan = dataclasses.replace(
        plan,
        reason=f"{plan.reason}\n{len(rows)} examples of {config.unlabelled} without"
        f" labels. {reason}",
    )
    if choice.head is not None:
        plan = head_alone(plan, PHASE)
    return HelpedPlan(plan, record, choice.head)
