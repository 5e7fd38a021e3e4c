"""Measures of drift: population stability indices and two-sample tests, corrected."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp

from pipelines.comparison.paired import holm
from pipelines.serving.training_data.reference import DriftReference

LEVEL = 0.05
_BINS = 10
# Added to each count, so that an empty bin has no infinite index.
_HALF = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """Answers for examples `[n]`, as `DriftReference` has them."""

    ood_scores: np.ndarray
    confidences: np.ndarray
    projections: np.ndarray
    predicted: np.ndarray


@dataclasses.dataclass(frozen=True)
class Drifted:
    """One measure of a batch beside the reference.

    `index` is its population stability index: below .1 is usual, above .25 is large;
    small batches have larger ones by chance. `p` is the probability of a difference
    like this between two samples of the same kind, by the test of Kolmogorov and
    Smirnov, and of answers by the chi-squared test. `p_holm` is corrected for the
    number of measures, and `drifted` true if it is below .05.
    """

    measure: str
    index: float
    p: float
    p_holm: float
    drifted: bool


def compare(reference: DriftReference, batch: Batch) -> list[Drifted]:
    """All measures of a batch; with no drift any is called drifted 5 times in 100."""
    rows = list(_measured(reference, batch))
    corrected = holm([p for _, _, p in rows])
    return [
        Drifted(name, index, p, p_holm, p_holm < LEVEL)
        for (name, index, p), p_holm in zip(rows, corrected)
    ]


def _measured(
    reference: DriftReference, batch: Batch
) -> Iterator[tuple[str, float, float]]:
    for name, ours, theirs in (
        ("ood_score", reference.ood_scores, batch.ood_scores),
        ("confidence", reference.confidences, batch.confidences),
    ):
        yield name, stability_index(ours, theirs), _ks(ours, theirs)
    counts = np.bincount(batch.predicted, minlength=len(reference.predicted))
    yield (
        "answers",
        _index(reference.predicted, counts),
        _chi_squared(reference.predicted, counts),
    )
    for i in range(reference.projections.shape[1]):
        ours, theirs = reference.projections[:, i], batch.projections[:, i]
        yield f"features {i + 1}", stability_index(ours, theirs), _ks(ours, theirs)


def stability_index(reference: np.ndarray, batch: np.ndarray) -> float:
    """The population stability index over ten bins with equal shares of a reference."""
    inner = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(reference, inner))
    counts = [
        np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        for values in (reference, batch)
    ]
    return _index(*counts)


def _index(reference: np.ndarray, batch: np.ndarray) -> float:
    ours, theirs = (
        (counts + _HALF) / (counts + _HALF).sum() for counts in (reference, batch)
    )
    return float(((theirs - ours) * np.log(theirs / ours)).sum())


def _ks(reference: np.ndarray, batch: np.ndarray) -> float:
    return float(ks_2samp(reference, batch).pvalue)


def _chi_squared(reference: np.ndarray, batch: np.ndarray) -> float:
    table = np.stack([reference, batch])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)
