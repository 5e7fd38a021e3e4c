"""Two probes beside each other: two single blocks, or heads on a network and its cut.

Compared on the same examples left out of both fits, so that what is hard for both
counts for neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pipelines.planning.boundary import PairedGain
from pipelines.planning.evidence import ProbeScore
from pipelines.planning.paired import paired_gain
from pipelines.probing import ridge
from pipelines.probing.probe import standardization_of

Features = Mapping[tuple[str, int], np.ndarray]
# A function of two scores: the gain of the second over the first.
Compare = Callable[[ProbeScore, ProbeScore], PairedGain]


def paired_comparison(
    features: Features,
    labels: np.ndarray,
    groups: np.ndarray | None,
    rows: np.ndarray,
    weights: np.ndarray | None = None,
) -> Compare:
    """Compares classifiers of the classes `labels` of some rows, example by example.

    `labels`, `groups` and `weights` are those of all rows of the features.
    """
    if weights is not None:
        rows = rows[weights[rows] > 0]
    own_weights = None if weights is None else weights[rows]
    own = np.unique(labels[rows], return_inverse=True)[1]
    own_groups = None if groups is None else groups[rows]

    def right(score: ProbeScore) -> np.ndarray:
        parts = [features[block, score.grid][rows] for block in score.reads]
        scores = ridge.left_out(
            standardization_of(parts, own_weights)(parts),
            own,
            np.arange(len(own)),
            penalty=score.penalty,
            groups=own_groups,
            weights=own_weights,
        )
        return scores.argmax(axis=1) == own

    def compare(before: ProbeScore, after: ProbeScore) -> PairedGain:
        if (before.reads, before.grid) == (after.reads, after.grid):
            return PairedGain(0.0, 0.0)
        return PairedGain(
            *paired_gain(right(before), right(after), weights=own_weights, unit=1.0)
        )

    return compare


def unpaired(before: ProbeScore, after: ProbeScore) -> PairedGain:
    """The gain in metrics that no single example has, as of different examples.

    Its error is larger than a paired one, so less is clear.
    """
    if (before.reads, before.grid) == (after.reads, after.grid):
        return PairedGain(0.0, 0.0)
    error = np.hypot(before.standard_error, after.standard_error)
    return PairedGain(after.accuracy - before.accuracy, float(error))
