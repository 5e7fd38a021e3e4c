"""A head for changed classes, in closed form from kept features."""

from __future__ import annotations

import numpy as np

from pipelines.features.kept_features import KeptFeatures
from pipelines.planning.head_inputs import HeadInput
from pipelines.probing.probe import Probe, linear_probe
from pipelines.problems.registry import make
from pipelines.stages.evidence.compare import score_among
from pipelines.stages.measure import without_shares


def refit(kept: KeptFeatures, *, balanced: bool, seed: int) -> Probe:
    """The linear probe that a run on all these examples would start its head from.

    Penalty and sharpness are measured anew, on examples left out. With `balanced`,
    every class counts the same, whatever its size.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    train = kept.train
    labels, weights = train.labels[train.rows], train.sample_weights
    weights = None if weights is None else weights[train.rows]
    scored = score_among(
        dict(zip(_keys(kept), kept.parts(train.first_view()))),
        labels,
        train.groups[train.rows],
        HeadInput(kept.reads, grid=kept.grid),
        make("single_label", kept.class_names, labels),
        seed=seed,
        weights=weights,
    )
    probe = linear_probe(
        kept.parts(train.features),
        np.tile(labels, train.views),
        scored,
        weights=None if weights is None else np.tile(weights, train.views),
    )
    return without_shares(probe, labels, weights) if balanced else probe


def _keys(kept: KeptFeatures) -> list[tuple[str, int]]:
    return [(name, kept.grid) for name in kept.reads]
