"""`zoo few-shot`: how well heads do with a few examples of classes they never saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.errors import ConfigError
from pipelines.methods.few_shot.choice import AUTO, choose
from pipelines.methods.few_shot.episodes import (
    Setting,
    Solve,
    accuracies,
    interval,
)
from pipelines.methods.few_shot.examples import labelled
from pipelines.methods.few_shot.features import FeatureSource, Source
from pipelines.methods.few_shot.heads import HEADS, Linear, centroid
from pipelines.methods.few_shot.metric import learned_metric, stretched
from pipelines.methods.few_shot.vectors import normalization
from pipelines.runtime.clock import Clock, Ticker

METRIC = "metric"
NAMES = (*HEADS, METRIC, AUTO)


@dataclasses.dataclass(frozen=True)
class HeadScore:
    """The accuracy of a head over episodes, with half of its 95 % interval."""

    head: str
    accuracy: float
    interval: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The heads on the same episodes, and the data of these.

    `classes` is the number of classes that episodes draw from. `base` says in words
    where the mean of features comes from, and `base_classes` counts its classes.
    """

    setting: Setting
    heads: tuple[HeadScore, ...]
    backbone: str
    reads: tuple[str, ...]
    width: int
    classes: int
    base: str
    base_classes: int
    seconds: dict[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Features `[n, width]` and labels `[n]`."""

    features: np.ndarray
    labels: np.ndarray


def evaluate(
    data: Any,
    setting: Setting,
    *,
    source: Source,
    base: Any = None,
    heads: Sequence[str] = NAMES,
) -> Evaluation:
    """The accuracy of each head over the episodes of a setting.

    Features are taken around the mean of `base`; without it, of half of the classes of
    `data` (by the seed), from which no episode draws. With too few classes for that,
    each episode has the mean of its own support set, and no metric is learned.

    Raises:
        ConfigError, DataError, BackboneError: with a sentence that says what to do.
    """
    setting.check()
    require_heads(heads)
    clock = Clock()
    with labelled(data) as examples:
        setting.require_classes(examples.labels, where=examples.reference)
        with clock.stage("features", source.backbone or "the default backbone"):
            network = FeatureSource(source, examples.inputs)
            read = Examples(network.read(examples.inputs), examples.labels)
    novel, others = parted(read, setting)
    centre = "half of the classes" if others is not None else "each support set"
    if base is not None:
        with clock.stage("base", str(base)), labelled(base) as known:
            others = Examples(network.read(known.inputs), known.labels)
            novel, centre = read, known.reference
    with clock.stage("episodes", f"{setting.episodes} of {setting.ways} classes"):
        scores = head_scores(novel, others, setting, heads)
    return Evaluation(
        setting=setting,
        heads=scores,
        backbone=network.base.spec.name,
        reads=network.blocks,
        width=read.features.shape[1],
        classes=len(setting.classes_of(novel.labels)),
        base=centre,
        base_classes=0 if others is None else len(np.unique(others.labels)),
        seconds={**clock.seconds, "total": clock.total_seconds},
    )


def require_heads(heads: Sequence[str]) -> None:
    """Raises `ConfigError` for a head that is not known."""
    for head in heads:
        if head not in NAMES:
            raise ConfigError(
                f"There is no head '{head}'; allowed: {', '.join(NAMES)}. Leave --heads"
                " out to compare all."
            )


def parted(read: Examples, setting: Setting) -> tuple[Examples, Examples | None]:
    """Examples of novel and of base classes; no base where classes are too few."""
    every = np.unique(read.labels)
    order = np.random.default_rng(setting.seed).permutation(every)
    novel = np.isin(read.labels, order[: (len(every) + 1) // 2])
    if len(setting.classes_of(read.labels[novel])) < setting.ways:
        return read, None
    return _taken(read, novel), _taken(read, ~novel)


def _taken(read: Examples, rows: np.ndarray) -> Examples:
    return Examples(read.features[rows], read.labels[rows])


def head_scores(
    novel: Examples,
    base: Examples | None,
    setting: Setting,
    heads: Sequence[str],
) -> tuple[HeadScore, ...]:
    """The accuracy of each head over episodes of novel classes.

    Without `base` there is no metric, and each episode has its own mean.
    """
    solvers = {name: _solver(name, setting.seed) for name in heads if name != METRIC}
    if base is None:
        rows = novel.features.astype(np.float64)
        solvers = {name: _centred(solve) for name, solve in solvers.items()}
    else:
        normalize = normalization(base.features, scaled=True)
        rows = normalize(novel.features)
        if METRIC in heads:
            matrix = learned_metric(normalize(base.features), base.labels, setting)
            solvers[METRIC] = _in_metric(matrix)
    tick = Ticker("episodes", setting.episodes)
    results = accuracies(
        rows, novel.labels, setting, list(solvers.values()), on_progress=tick
    )
    return tuple(
        HeadScore(name, float(values.mean()), interval(values))
        for name, values in zip(solvers, results)
    )


def _solver(name: str, seed: int) -> Solve:
    if name in HEADS:
        return HEADS[name]
    return lambda rows, labels: choose(rows, labels, head=AUTO, seed=seed).linear


class _InMetric:
    """The nearest class mean among rows that a metric stretched."""

    def __init__(self, matrix: np.ndarray, linear: Linear) -> None:
        self._matrix, self._linear = matrix, linear

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The scores of rows of length 1, `[n, width]`."""
        return self._linear.scores(stretched(rows, self._matrix))


def _in_metric(matrix: np.ndarray) -> Solve:
    return lambda rows, labels: _InMetric(
        matrix, centroid(stretched(rows, matrix), labels)
    )


class _OwnMean:
    """A head on features around the mean of the support set that it was solved from."""

    def __init__(self, solve: Solve, rows: np.ndarray, labels: np.ndarray) -> None:
        self._normalize = normalization(rows, scaled=False)
        self._linear = solve(self._normalize(rows), labels)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The scores of raw features `[n, width]`."""
        return self._linear.scores(self._normalize(rows))


def _centred(solve: Solve) -> Solve:
    return lambda rows, labels: _OwnMean(solve, rows, labels)
