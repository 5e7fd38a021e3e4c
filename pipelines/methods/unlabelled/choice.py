"""Whether unlabelled examples help: judged by labelled ones that were left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.sparse as sparse

from pipelines.data.folds import folds_of
from pipelines.methods.unlabelled.judged import Judged
from pipelines.methods.unlabelled.propagation import (
    certainty,
    neighbours,
    propagate,
)
from pipelines.planning.paired import paired_gain
from pipelines.probing.directions import main_directions
from pipelines.probing.probe import Probe, linear_probe, score_and_fit

_FOLDS = 5
# Which examples share a fold is chance, and two rounds have less of it.
_ROUNDS = 2
# The weight of all unlabelled examples together, as a multiple of the labelled ones.
_SHARE = 2.0
_LEAST_WEIGHT = 1e-4


@dataclasses.dataclass(frozen=True, eq=False)
class Partly:
    """Raw features of examples with labels and of others without.

    `labelled` is `[views * n, width]`, view after view of the same examples, with
    `labels` and `groups` `[n]`; `unlabelled` is `[m, width]`.
    """

    labelled: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    unlabelled: np.ndarray
    classes: int
    seed: int = 0

    @property
    def views(self) -> int:
        """The number of views of each labelled example."""
        return len(self.labelled) // len(self.labels)

    def rows(self, kept: np.ndarray) -> np.ndarray:
        """The rows of all views of some labelled examples."""
        count = len(self.labels)
        return np.concatenate([kept + view * count for view in range(self.views)])


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """The head that learned from unlabelled examples, if that is better."""

    judged: Judged
    head: Probe | None


def choose(partly: Partly) -> Choice:
    """A head for labelled and unlabelled examples, if it answers labelled ones better.

    Those of each fold are left out of the graph and of both heads, in two rounds of
    other folds. `Judged.helps` has the rule.
    """
    graph = _graph(partly)
    rounds = [
        _left_out(partly, graph, seed=partly.seed + offset) for offset in range(_ROUNDS)
    ]
    right = np.mean([answers for answers, _ in rounds], axis=0)
    is_judged = np.logical_and.reduce([seen for _, seen in rounds])
    if not is_judged.any():
        return Choice(Judged(0.0, 0.0, 0.0, 0.0, 0, partly.classes), None)
    before, after = right[:, is_judged]
    gain, error = paired_gain(before, after, groups=partly.groups[is_judged], unit=1.0)
    judged = Judged(
        before=float(before.mean()),
        after=float(after.mean()),
        gain=gain,
        standard_error=error,
        examples=int(is_judged.sum()),
        classes=partly.classes,
    )
    if not judged.helps:
        return Choice(judged, None)
    return Choice(judged, _helped(partly, np.arange(len(partly.labels)), graph))


def plain_head(partly: Partly) -> Probe:
    """The head of labelled examples alone."""
    return _plain(partly, np.arange(len(partly.labels)))


def helped_head(partly: Partly) -> Probe:
    """The head of all examples, whatever labelled ones say of it."""
    return _helped(partly, np.arange(len(partly.labels)), _graph(partly))


def _graph(partly: Partly) -> sparse.csr_matrix:
    """The neighbours among labelled examples, in one view, and the others after."""
    both = np.concatenate([partly.labelled[: len(partly.labels)], partly.unlabelled])
    return neighbours(main_directions(both, seed=partly.seed))


def _left_out(
    partly: Partly, graph: sparse.csr_matrix, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which labelled examples both heads answer right that never saw them.

    `[2, n]`, the head of labelled examples alone first; and which were judged, bool
    `[n]`: none without which a class has no example.
    """
    labels, count = partly.labels, len(partly.labels)
    folds = folds_of(
        labels, partly.groups, problem="single_label", count=_FOLDS, seed=seed
    )
    right, is_judged = np.zeros((2, count)), np.zeros(count, bool)
    for fold in np.unique(folds):
        own, others = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(np.unique(labels[others])) < partly.classes:
            continue
        is_judged[own] = True
        rest = np.concatenate([others, np.arange(count, graph.shape[0])])
        heads = (
            _plain(partly, others),
            _helped(partly, others, graph[rest][:, rest]),
        )
        for i, head in enumerate(heads):
            answered = head.logits([partly.labelled[own]]).argmax(axis=1)
            right[i, own] = answered == labels[own]
    return right, is_judged


def _plain(partly: Partly, kept: np.ndarray) -> Probe:
    """The head of labelled examples alone."""
    return _fitted(partly, kept, np.zeros(0, np.int64), np.zeros(0, np.float32))


def _helped(partly: Partly, kept: np.ndarray, graph: sparse.csr_matrix) -> Probe:
    """The head of labelled examples, and of others with the labels that reach them.

    `graph` is of the `kept` labelled examples, and all others after them.
    """
    known = np.arange(len(kept))
    shares = propagate(graph, known, partly.labels[kept], classes=partly.classes)
    others = shares[len(kept) :]
    weights = np.maximum(certainty(others), _LEAST_WEIGHT)
    weights *= _SHARE * len(kept) * partly.views / weights.sum()
    return _fitted(partly, kept, others.argmax(axis=1), weights.astype(np.float32))


def _fitted(
    partly: Partly, kept: np.ndarray, guessed: np.ndarray, weights: np.ndarray
) -> Probe:
    features = np.concatenate(
        [partly.labelled[partly.rows(kept)], partly.unlabelled[: len(guessed)]]
    )
    own = np.tile(partly.labels[kept], partly.views)
    # Views of one example are left out together, and each guess by itself.
    groups = np.tile(kept, partly.views)
    groups = np.concatenate([groups, len(partly.labels) + np.arange(len(guessed))])
    labels = np.concatenate([own, guessed])
    counts = np.concatenate([np.ones(len(own), np.float32), weights])
    scored, probe = score_and_fit(
        [features], labels, groups=groups, reads=("all",), grid=1, weights=counts
    )
    return probe or linear_probe([features], labels, scored, weights=counts)
