"""The choice by labelled target examples: they judge, or they join training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from pipelines.data.folds import folds_of
from pipelines.methods.adaptation.apply import adapt
from pipelines.methods.adaptation.domains import Domains, Settings
from pipelines.methods.adaptation.head import Adapted, unchanged
from pipelines.planning.adaptation.evidence import Candidate
from pipelines.planning.adaptation.methods import JUDGED, NONE
from pipelines.planning.paired import paired_gain
from pipelines.probing.probe import linear_probe, score

JOINED, JOINED_JUDGED = "joined", f"joined {JUDGED}"
_FOLDS = 5
# All labelled target examples together count as this share of the source.
_SHARE = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """Raw features `[rows, width]` of labelled target examples, labels and groups."""

    features: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """The best of the candidates, by its name, and all of them as they were judged."""

    name: str
    adapted: Adapted
    candidates: tuple[Candidate, ...]


def choose(domains: Domains, labelled: Labelled, settings: Settings) -> Choice:
    """The candidate with the largest gain out of fold, if that is clear.

    A method without labels is judged by all examples, and one that they join by those
    of the fold that it did not see. A gain is clear beyond its standard error.
    """
    folds = folds_of(
        labelled.labels,
        labelled.groups,
        problem="single_label",
        count=_FOLDS,
        seed=settings.seed,
    )
    before = _right(unchanged(domains.probe), labelled)
    alone = adapt(JUDGED, domains, settings)
    right = {NONE: before, JUDGED: _right(alone, labelled)}
    for name, function in _JOINING.items():
        right[name] = np.zeros(len(folds))
        for fold in np.unique(folds):
            own = folds == fold
            head = function(_joined(domains, labelled, ~own), settings)
            right[name][own] = _right(head, labelled)[own]
    candidates = tuple(
        Candidate(
            name,
            float(each.mean()),
            *paired_gain(before, each, groups=labelled.groups, unit=1.0),
        )
        for name, each in right.items()
    )
    clear = [row for row in candidates if row.name != NONE and row.is_clear]
    best = max(clear, key=lambda row: row.gain).name if clear else NONE
    whole = np.ones(len(folds), bool)
    if best in _JOINING:
        head = _JOINING[best](_joined(domains, labelled, whole), settings)
    else:
        head = alone if best == JUDGED else unchanged(domains.probe)
    return Choice(best, head, candidates)


def _right(adapted: Adapted, labelled: Labelled) -> np.ndarray:
    answered = adapted.head.logits([labelled.features]).argmax(axis=1)
    return (answered == labelled.labels).astype(np.float64)


def _joined(domains: Domains, labelled: Labelled, rows: np.ndarray) -> Domains:
    return dataclasses.replace(
        domains,
        labelled=labelled.features[rows],
        labelled_labels=labelled.labels[rows],
    )


def join(domains: Domains, settings: Settings) -> Adapted:
    """The linear head of the source and the labelled target examples together."""
    if domains.labelled is None or domains.labelled_labels is None:
        raise ValueError("Labelled examples of the target are what joins the source.")
    features = np.concatenate([domains.source, domains.labelled])
    labels = np.concatenate([domains.labels, domains.labelled_labels])
    own = len(domains.source)
    also = np.arange(len(domains.labelled)) + domains.groups.max() + 1
    weight = max(1.0, _SHARE * own / len(domains.labelled))
    weights = np.ones(len(labels), np.float32)
    weights[own:] = weight
    scored = score(
        [features],
        labels,
        groups=np.concatenate([domains.groups, also]),
        reads=(JOINED,),
        grid=1,
        weights=weights,
    )
    return unchanged(linear_probe([features], labels, scored, weights=weights))


_JOINING: dict[str, Callable[[Domains, Settings], Adapted]] = {
    JOINED: join,
    JOINED_JUDGED: lambda domains, settings: adapt(JUDGED, domains, settings),
}
