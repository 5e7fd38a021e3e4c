"""A head for changed classes, in closed form from kept features."""

from __future__ import annotations

import numpy as np

from pipelines.features.kept_features import KeptFeatures
from pipelines.planning.head_inputs import HeadInput
from pipelines.probing.probe import Probe, linear_probe, score_and_fit
from pipelines.problems.registry import make
from pipelines.stages.evidence.compare import compared_rows, score_among
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
    probe = _by_one_fit(kept, labels, weights, seed=seed)
    if probe is None:
        probe = _scored_and_solved(kept, labels, weights, seed=seed)
    return without_shares(probe, labels, weights) if balanced else probe


def _by_one_fit(
    kept: KeptFeatures, labels: np.ndarray, weights: np.ndarray | None, *, seed: int
) -> Probe | None:
    """The probe by the fit that scores it; None unless both are of the same rows."""
    train, problem = kept.train, make("single_label", kept.class_names, labels)
    groups = train.groups[train.rows]
    compared = compared_rows(problem, labels, groups, seed=seed)
    if train.views > 1 or len(compared) < len(labels):
        return None
    parts = kept.parts(train.first_view())
    _, probe = score_and_fit(
        parts,
        labels,
        groups=groups,
        reads=kept.reads,
        grid=kept.grid,
        weights=weights,
    )
    return probe


def _scored_and_solved(
    kept: KeptFeatures, labels: np.ndarray, weights: np.ndarray | None, *, seed: int
) -> Probe:
    train = kept.train
    scored = score_among(
        dict(zip(_keys(kept), kept.parts(train.first_view()))),
        labels,
        train.groups[train.rows],
        HeadInput(kept.reads, grid=kept.grid),
        make("single_label", kept.class_names, labels),
        seed=seed,
        weights=weights,
    )
    return linear_probe(
        kept.parts(train.features),
        np.tile(labels, train.views),
        scored,
        weights=None if weights is None else np.tile(weights, train.views),
    )


def _keys(kept: KeptFeatures) -> list[tuple[str, int]]:
    return [(name, kept.grid) for name in kept.reads]
