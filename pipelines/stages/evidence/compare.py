"""Compares what a head could read, by linear probes on examples left out."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping

import numpy as np

from pipelines.features.block_vectors import PIXELS, head_inputs_of, parts_of
from pipelines.planning.evidence import Evidence, ProbeScore
from pipelines.planning.head_inputs import HeadInput
from pipelines.probing.probe import score_of_all
from pipelines.probing.rows import judged_rows, of_every_class, spread
from pipelines.problems.protocol import Problem
from pipelines.runtime.clock import Ticker
from zoo.builder import Backbone

# Examples that compare blocks and heads: the cost grows with the cube, and all are
# judged by the same ones, so that a standard error of 1.6 percent separates them.
_COMPARED = 1000


def compare_head_inputs(
    base: Backbone,
    train: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    problem: Problem,
    *,
    seed: int,
    rate: float,
    weights: np.ndarray | None = None,
) -> Evidence:
    rows = _rows_to_compare(problem, labels, groups, seed=seed)
    compared = [HeadInput((name,), grid=1) for name, grid in train if grid == 1]
    tick = Ticker("inputs of a head", len({*compared, *head_inputs_of(base)}))
    begun = itertools.count()

    @functools.cache
    def scored(head_input: HeadInput) -> ProbeScore:
        tick(next(begun))
        return _score_among(train, labels, groups, rows, head_input, problem, weights)

    def alone(name: str) -> ProbeScore:
        return scored(HeadInput((name,), grid=1))

    pixels = alone(PIXELS) if (PIXELS, 1) in train else None
    return Evidence(
        examples=len(rows.judged),
        fitted_examples=len(labels) if rows.are_some_classes else 0,
        depths=tuple(
            alone(block.name) for block in base.blocks if (block.name, 1) in train
        ),
        heads=tuple(scored(head_input) for head_input in head_inputs_of(base)),
        majority_accuracy=problem.floor(labels, weights),
        pixel_accuracy=None if pixels is None else pixels.accuracy,
        examples_per_second=rate,
        metric=problem.metric,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _ComparedRows:
    """The rows on which head inputs are compared, and on which a probe is judged.

    They are the same unless only some classes are compared.
    """

    compared: np.ndarray
    judged: np.ndarray
    are_some_classes: bool


def score_among(
    features: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    head_input: HeadInput,
    problem: Problem,
    *,
    seed: int,
    weights: np.ndarray | None = None,
) -> ProbeScore:
    """The score of a head that reads these blocks, as a run measures it.

    `labels`, `groups` and `weights` are those of all rows of the features.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    rows = _rows_to_compare(problem, labels, groups, seed=seed)
    return _score_among(features, labels, groups, rows, head_input, problem, weights)


def compared_rows(
    problem: Problem, labels: np.ndarray, groups: np.ndarray | None, *, seed: int
) -> np.ndarray:
    """The rows on which `score_among` compares what a head could read, in order."""
    return _rows_to_compare(problem, labels, groups, seed=seed).compared


def _rows_to_compare(
    problem: Problem, labels: np.ndarray, groups: np.ndarray | None, *, seed: int
) -> _ComparedRows:
    rows = rows_to_compare(problem, labels, count=_COMPARED, seed=seed)
    are_some = problem.reads_classes and (
        len(np.unique(labels[rows])) < len(np.unique(labels))
    )
    judged = (
        judged_rows(labels, groups, at_most=_COMPARED, seed=seed) if are_some else rows
    )
    return _ComparedRows(rows, judged, are_some)


def _score_among(
    features: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    rows: _ComparedRows,
    head_input: HeadInput,
    problem: Problem,
    weights: np.ndarray | None,
) -> ProbeScore:
    scored = score_head_input(
        features,
        labels[rows.compared],
        None if groups is None else groups[rows.compared],
        head_input,
        problem,
        rows=rows.compared,
        weights=None if weights is None else weights[rows.compared],
    )
    if not rows.are_some_classes:
        return scored
    parts = parts_of(features, head_input)
    return score_of_all(
        parts, labels, rows.judged, groups=groups, scored=scored, weights=weights
    )


def rows_to_compare(
    problem: Problem, labels: np.ndarray, *, count: int, seed: int
) -> np.ndarray:
    """At most `count` rows, in order, by which heads and backbones are compared."""
    draw = spread if problem.reads_classes else of_every_class
    return draw(problem.strata(labels), count=count, seed=seed)


def score_head_input(
    features: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    head_input: HeadInput,
    problem: Problem,
    *,
    rows: np.ndarray | slice = slice(None),
    weights: np.ndarray | None = None,
) -> ProbeScore:
    """The score of a head that reads these blocks, on examples left out.

    `labels`, `groups` and `weights` are those of the `rows` of the features.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    return problem.score(
        [part[rows] for part in parts_of(features, head_input)],
        labels,
        groups=groups,
        reads=head_input.reads,
        grid=head_input.grid,
        weights=weights,
    )
