"""After the head: whether a mirrored view of each image helps, out of fold."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import tensorflow as tf

from pipelines.data.checks.changed_files import broken_files_named
from pipelines.data.folds import folds_of
from pipelines.data.input.batches import batches
from pipelines.data.splits import Split
from pipelines.features.block_vectors import parts_of
from pipelines.planning.plan import TransferPlan
from pipelines.planning.views import FLIP, NONE, ViewChoice, choose_views
from pipelines.probing.rows import of_every_class
from pipelines.problems.protocol import Problem
from pipelines.runtime.clock import Ticker
from pipelines.stages.backbones.score import counted
from pipelines.stages.folds.out_of_fold import outputs_of
from pipelines.stages.measure import Measured
from pipelines.stages.views.graph import WIDTH_AXIS, with_mirror
from pipelines.training.transfer_model import TransferModel

# A paired difference of one percent shows with these.
_EXAMPLES = 1000
_FOLDS = 5

_logger = logging.getLogger("zootune")


def with_chosen_views(
    model: TransferModel,
    train: Split,
    measured: Measured,
    plan: TransferPlan,
    problem: Problem,
    *,
    asked: str,
) -> tuple[TransferModel, ViewChoice | None]:
    """The model with the views that `asked` says, `none`, `flip` or `auto`.

    Compares on some of the examples that were measured, by linear probes on the others,
    which are fitted to one view of each. None where no views were asked for.
    """
    if asked == NONE:
        return model, None
    choice = _compared(train, measured, plan, problem, asked=asked)
    if choice.views == FLIP:
        model = with_mirror(model)
    _logger.info("  test views: %s. %s", choice.views, choice.reason)
    return model, dataclasses.replace(choice, multiply_adds=counted(model.model))


def _compared(
    train: Split,
    measured: Measured,
    plan: TransferPlan,
    problem: Problem,
    *,
    asked: str,
) -> ViewChoice:
    seed = plan.seed
    # The rows of the features among all of train, and the compared ones among those.
    strata = problem.strata(train.labels)
    read = of_every_class(strata, count=len(measured.labels), seed=seed)
    strata = problem.strata(measured.labels)
    some = of_every_class(strata, count=_EXAMPLES, seed=seed)
    split = train.take(read[some])
    plain = [part[some].astype(np.float32) for part in _parts(measured, plan)]
    mirrored = _mirrored(split, measured, plan)
    both = [np.add(*pair) / 2 for pair in zip(plain, mirrored, strict=True)]
    folds = folds_of(
        split.labels, split.groups, problem=problem.name, count=_FOLDS, seed=seed
    )
    groups = read if train.groups is None else train.groups[read]
    quality = np.zeros((2, len(split)))
    for fold in np.unique(folds):
        own = folds == fold
        others = measured.without(np.isin(groups, groups[some[own]]))
        probe = others.probe(plan.head, balanced=plan.balances_classes)
        if probe is None:
            raise ValueError("Views are compared on features that were measured.")
        for row, parts in enumerate((plain, both)):
            answers = outputs_of(
                problem, probe, [part[own] for part in parts], units=problem.units
            )
            quality[row, own] = problem.judge(answers, split.labels[own]).quality
    return choose_views(quality[0], quality[1], split.groups, asked=asked)


def _parts(measured: Measured, plan: TransferPlan) -> list[np.ndarray]:
    return parts_of(measured.train, plan.head)


def _mirrored(
    split: Split, measured: Measured, plan: TransferPlan
) -> tuple[np.ndarray, ...]:
    """The features of the mirrored images, an array for each block of the head."""
    known = measured.known
    if known is None:
        raise ValueError("Views are compared on features that were measured.")
    stream = batches(
        split, input_size_px=known.backbone.input_size_px, batch_size=plan.batch_size
    )
    with broken_files_named(split):
        return known.reader.extract(
            stream.map(lambda images, y: (tf.reverse(images, [WIDTH_AXIS]), y)),
            only=[known.keys.index((name, plan.head.grid)) for name in plan.head.reads],
            on_progress=Ticker("mirrored views", len(split)),
        )
