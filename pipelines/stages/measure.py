"""Between base and head: measure what the features of the base are worth on the data.

One pass over at most a few thousand examples reads every block at once, and linear
probes in closed form show what a head should read. Nothing is trained.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import time
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from pipelines.calibration.portions import AT_ONCE
from pipelines.config import RunConfig
from pipelines.data.input.batches import batches_of_all
from pipelines.data.input.imbalance import log_prior
from pipelines.data.splits import Split, Splits
from pipelines.errors import ConfigError
from pipelines.features.divergence import block_divergences
from pipelines.features.extract import Activations, Reader
from pipelines.features.pooling import pool_block, token_average
from pipelines.features.views import are_worth_it, count_views, other_views
from pipelines.planning.evidence import Evidence, ProbeScore
from pipelines.planning.head_inputs import HeadInput, LayerOutput, possible_head_inputs
from pipelines.planning.plan import HeadPlan
from pipelines.planning.policy import TrainingFacts
from pipelines.planning.similarity import (
    SourceAnswers,
    source_answers,
    source_probabilities,
)
from pipelines.probing.probe import Probe, Refitted, refit, score_of_all
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock, Ticker
from pipelines.stages.outputs import Known, fingerprint
from pipelines.training.batchnorm import batchnorm_layers
from pipelines.training.lora import adaptable_layers
from zoo.builder import Backbone, source_classifier
from zoo.graph.blocks import Block

# Examples that are read at most, fewer where their features would take more memory; and
# how many of those compare blocks and heads: the cost grows with the cube, and all are
# judged by the same ones, so that a standard error of 1.6 percent separates them.
MOST_READ = 4000
_READ_BYTES = 2**29
_COMPARED = 1000
# Of many classes more are read, one of each at least, whatever the memory: what is not
# read, a probe cannot know.
_READ_PER_CLASS = 8
# With fewer than 8 compared examples a class looks harder than it is. Then only some
# classes are compared, and after that one penalty among all classes.
_FEW_CLASSES = 100
_COMPARED_PER_CLASS = 8
_FEWEST_JUDGED = 500
# Examples that show BatchNorm the data; a map has many positions.
NORMALIZED = 64
THUMBNAIL_PX = 16
PIXELS = "pixels"
_GRID = 2
# The first batches build the graph; their time says nothing.
_WARM_UP_EXAMPLES = 96


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Evidence for the plan, and the features that it rests on.

    `train` and `validation` hold an array `[rows, width]` for every block and grid: a
    row for each example of validation, and for each of training as many as `views`, one
    view of all of them after the other, the first as they are. `labels` are those of
    one view. With `is_whole` that is every example of both splits. All of it is empty
    where the backbone starts from random weights. `known` has what a trained model
    need not read again. `refitted` is the head of a base that is fitted, solved for
    training and then validation.
    """

    evidence: Evidence | None
    labels: np.ndarray
    train: Mapping[tuple[str, int], np.ndarray]
    validation: Mapping[tuple[str, int], np.ndarray]
    is_whole: bool
    views: int = 1
    known: Known | None = None
    problem: Problem | None = None
    refitted: Refitted | None = None

    def probe(self, head: HeadPlan, *, balanced: bool = False) -> Probe | None:
        """The probe on what a standardized head reads, fitted to all that was read.

        Where all classes are to count the same (`balanced`), without what it learned of
        their shares.
        """
        problem = self.problem
        if self.evidence is None or problem is None or not head.standardized:
            return None
        if head.refit and self.refitted is not None:
            return self.refitted.probe
        scored = next(
            head_score
            for head_score in self.evidence.heads
            if (head_score.reads, head_score.grid) == (head.reads, head.grid)
        )
        labels = np.concatenate([self.labels] * self.views)
        solved = problem.linear_probe(_parts(self.train, head), labels, scored)
        return without_shares(solved, self.labels) if balanced else solved

    def left_out(self, head: HeadPlan) -> np.ndarray | None:
        """Logits `[validation, classes]` of heads that leave out each example.

        None unless the head is solved for training and validation together.
        """
        if not head.refit or self.refitted is None:
            return None
        return self.refitted.left_out[len(self.labels) :]

    def for_base(self, base: Backbone) -> Measured:
        """The same for a base that may compute in another number format.

        Features belong to the format that they were computed in. The probe on them only
        says where the head starts.
        """
        if self.known is None or self.known.backbone is base:
            return self
        return dataclasses.replace(self, is_whole=False, known=None)

    def head_features(self, head: HeadPlan) -> tuple[np.ndarray, np.ndarray] | None:
        """The inputs of the head for train and validation, if all of them were read.

        As it was read, float16 where that suffices. Of train that is every view, as in
        `train`.
        """
        if not (self.is_whole and head.standardized):
            return None
        return (
            np.concatenate(_parts(self.train, head), axis=1),
            np.concatenate(_parts(self.validation, head), axis=1),
        )


_NOTHING = Measured(None, np.zeros(0, np.int64), {}, {}, is_whole=False)


def without_shares(probe: Probe, labels: np.ndarray) -> Probe:
    """The probe without what it learned of the shares of classes in `labels`."""
    shares = log_prior(labels, len(probe.bias))
    return dataclasses.replace(probe, bias=probe.bias - shares)


def training_facts(base: Backbone, splits: Splits, measured: Measured) -> TrainingFacts:
    """The facts that the policy decides by."""
    problem = problem_of(splits)
    return TrainingFacts(
        examples=len(splits.train),
        classes=problem.parts,
        part=problem.part_name,
        block_names=base.spec.block_names,
        trainable=base.spec.trainable,
        pretrained=base.weights != "random",
        evidence=measured.evidence,
        validation=len(splits.validation) if problem.counts_mistakes else None,
        batchnorm_blocks=tuple(
            block.name for block in base.blocks if batchnorm_layers(block)
        ),
        lora_blocks=tuple(
            block.name for block in base.blocks if adaptable_layers(block)
        ),
        can_refit=measured.refitted is not None,
        untrained_series=base.spec.modality == "series" and base.weights == "random",
    )


def measure(
    base: Backbone, splits: Splits, config: RunConfig, clock: Clock
) -> Measured:
    """Reads every block once, and compares what a head could read of them.

    Nothing is measured of a backbone that is to be trained from scratch.

    Raises:
        ConfigError: if the time budget does not allow one pass; it says what does.
        TrainingError: if a feature is not a finite number.
    """
    if config.strategy == "scratch":
        return _NOTHING
    views = count_views(config, splits.train)
    outputs = vectors_of(base)
    problem = problem_of(splits)
    strata = problem.strata(splits.train.labels)
    most = _examples_at_most(outputs, strata, views=views)
    rows = of_every_class(strata, count=most, seed=config.seed)
    is_whole = len(rows) == len(splits.train) and len(splits.validation) <= most
    some = splits.train.take(rows)
    also = splits.validation if is_whole else None
    reader = Reader(keras.Model(base.model.input, list(outputs.values())))
    vectors, rate = _read(
        reader, base, list(outputs), some, also, config, clock, views=views
    )
    first = {key: values[: len(some)] for key, values in vectors.items()}
    rest = {key: values[len(some) :] for key, values in vectors.items()}
    validation = rest if is_whole else {}
    clock.part("comparing what a head could read")
    few = of_every_class(strata, count=NORMALIZED, seed=config.seed)
    compared = _compare(
        base, first, some.labels, some.groups, problem, seed=config.seed, rate=rate
    )
    per_class = len(splits.train) / problem.parts
    left_out = compared.best_head.accuracy
    if not are_worth_it(config, left_out=left_out, per_class=per_class):
        views = 1
    train = first
    if views > 1:
        others = _read_others(reader, base, some, config, clock, views=views)
        pairs = zip(outputs, others)
        train = {key: np.concatenate([first[key], more]) for key, more in pairs}
    whole = {splits.train.name: first, splits.validation.name: validation}
    return Measured(
        evidence=dataclasses.replace(
            compared,
            views=views,
            divergences=block_divergences(base, splits.train.take(few)),
            source_answers=_source_answers(base, first),
        ),
        labels=some.labels,
        train=train,
        validation=validation,
        is_whole=is_whole,
        views=views,
        known=Known(
            base,
            reader,
            tuple(outputs),
            whole if is_whole else {},
            fingerprint(base),
        ),
        problem=problem,
        refitted=_refitted(base, splits, first, validation, problem),
    )


def _refitted(
    base: Backbone,
    splits: Splits,
    train: Mapping[tuple[str, int], np.ndarray],
    validation: Mapping[tuple[str, int], np.ndarray],
    problem: Problem,
) -> Refitted | None:
    """The head for both splits together, of a base with a single output.

    Only of one that is fitted: nothing trains it, so that no validation is needed to
    end its training, and it is for few data, where every example counts.
    """
    if not (base.spec.fitted and validation and problem.classes_can_change):
        return None
    both = (splits.train, splits.validation)
    groups = [split.groups for split in both if split.groups is not None]
    ((key, features),) = train.items()
    return refit(
        [np.concatenate([features, validation[key]])],
        np.concatenate([split.labels for split in both]),
        groups=np.concatenate(groups) if len(groups) == len(both) else None,
    )


def _read(
    reader: Reader,
    base: Backbone,
    keys: Sequence[tuple[str, int]],
    train: Split,
    validation: Split | None,
    config: RunConfig,
    clock: Clock,
    *,
    views: int,
) -> tuple[dict[tuple[str, int], np.ndarray], float]:
    """The outputs for train as it is, then for validation, and images a second.

    What is refused for its time is a pass with all views.
    """
    started = time.monotonic()
    splits = [train] if validation is None else [train, validation]
    read = batches_of_all(
        splits, input_size_px=base.input_size_px, batch_size=config.batch_size
    )
    total = sum(map(len, splits))
    left = clock.deadline(config.time_budget_seconds) - started
    rate = _Rate(total + (views - 1) * len(train), left, views=views)

    def follow(done: int) -> None:
        rate.follow(done)
        clock.progress(done, total)

    outputs = reader.extract(read, dtype=np.float16, on_progress=follow)
    return dict(zip(keys, outputs)), total / (time.monotonic() - started)


def _read_others(
    reader: Reader,
    base: Backbone,
    train: Split,
    config: RunConfig,
    clock: Clock,
    *,
    views: int,
) -> Activations:
    """The outputs for every view of train but the first, view after view."""
    clock.part(f"{views - 1} more views of {len(train)} images")
    total = (views - 1) * len(train)
    return reader.extract(
        other_views(train, config, views=views, input_size_px=base.input_size_px),
        dtype=np.float16,
        on_progress=lambda done: clock.progress(done, total),
    )


def spread(labels: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """At most `count` rows, in order, by which classes can be compared.

    These are the rows of `of_every_class`; if that takes fewer than 8 of each class, 8
    of some classes, which are drawn by their sizes.
    """
    classes = len(np.unique(labels))
    enough = max(_FEW_CLASSES, count // _COMPARED_PER_CLASS)
    if len(labels) <= count or classes <= enough:
        return of_every_class(labels, count=count, seed=seed)
    rows, sizes, rank = _class_by_class(labels, seed)
    # One row alone, left out, has no other to be recognized by.
    rows = rows[(rank < _COMPARED_PER_CLASS) & (np.repeat(sizes, sizes) > 1)]
    if not len(rows):
        return of_every_class(labels, count=count, seed=seed)
    drawn = np.random.default_rng(seed).permutation(len(labels))
    place = np.zeros(len(sizes), np.int64)
    place[labels[drawn[::-1]]] = np.arange(len(labels))[::-1]
    rows = rows[np.argsort(place[labels[rows]], kind="stable")]
    ends = np.flatnonzero(np.diff(labels[rows], append=-1)) + 1
    return np.sort(rows[: ends[ends <= count].max()])


def of_every_class(labels: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """At most `count` rows, in order, every class in proportion and at least once."""
    if len(labels) <= count:
        return np.arange(len(labels))
    by_class, sizes, rank = _class_by_class(labels, seed)
    # The first of each class comes first; the others by their share of the class.
    order = np.where(rank == 0, -1.0, rank / np.repeat(sizes, sizes))
    return np.sort(by_class[np.argsort(order, kind="stable")][:count])


def _class_by_class(
    labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of one class after the other, each shuffled; sizes; places in the class."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sizes = np.bincount(labels)
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return by_class, sizes, rank


class _Rate:
    """Notices early that a pass will not end within the seconds that are left."""

    def __init__(self, total: int, seconds_left: float, *, views: int) -> None:
        self._total, self._seconds_left, self._views = total, seconds_left, views
        self._first: tuple[int, float] | None = None
        self._started = time.monotonic()

    def follow(self, done: int) -> None:
        now = time.monotonic()
        if self._first is None:
            if done >= min(_WARM_UP_EXAMPLES, self._total / 2):
                self._first = done, now
            return
        first, at = self._first
        per_example = (now - at) / (done - first)
        needed = (at - self._started) + per_example * (self._total - first)
        if needed > self._seconds_left:
            left = max(0.0, self._seconds_left - (at - self._started))
            possible = int(left / per_example / self._views)
            seen = f", {self._views} views of each," if self._views > 1 else ""
            fewer = " head.views=1," if self._views > 1 else ""
            raise ConfigError(
                f"One pass over {self._total // self._views} examples{seen} takes about"
                f" {needed:.0f} s here, and config.time_budget_seconds leaves"
                f" {self._seconds_left:.0f} s. Raise it, take{fewer} a smaller"
                f" config.input_size_px or backbone, or at most {possible} examples"
                f" with ?limit= in config.data."
            )


def _examples_at_most(
    outputs: Mapping[tuple[str, int], keras.KerasTensor],
    labels: np.ndarray,
    *,
    views: int,
) -> int:
    width = views * sum(output.shape[-1] for output in outputs.values())
    classes = len(np.unique(labels))
    fit_in = _READ_BYTES // (width * np.dtype(np.float16).itemsize)
    if classes <= _FEW_CLASSES:
        return min(MOST_READ, fit_in)
    return max(classes, min(fit_in, max(MOST_READ, _READ_PER_CLASS * classes)))


def head_inputs_of(base: Backbone) -> tuple[HeadInput, ...]:
    """The inputs that a head could read; for texts the last block alone."""
    if base.spec.modality == "text":
        return possible_head_inputs([_layer_output(base.blocks[-1])], cells=1)
    return possible_head_inputs(
        [_layer_output(block) for block in base.blocks], cells=_cells(base)
    )


def _layer_output(block: Block) -> LayerOutput:
    return LayerOutput(block.name, block.output.shape[-1])


def vectors_of(base: Backbone) -> dict[tuple[str, int], keras.KerasTensor]:
    """A vector for every block, others for heads to read, and tiny thumbnails."""
    last = base.blocks[-1]
    if base.spec.modality == "text":
        return {(last.name, 1): token_average(last.output)}
    keys = {(block.name, 1) for block in base.blocks}
    keys |= {
        (name, head_input.grid)
        for head_input in head_inputs_of(base)
        for name in head_input.reads
    }
    vectors = {
        (block.name, grid): pool_block(
            block, grid=grid, name=f"measured_{grid}_{block.name}"
        )
        for block in base.blocks
        for grid in (1, _GRID)
        if (block.name, grid) in keys
    }
    if base.spec.modality == "image":
        # Resizing with antialias would keep OpenVINO from doing the pass.
        cell = [-(-side // THUMBNAIL_PX) for side in base.model.input.shape[1:3]]
        shrink = keras.layers.AveragePooling2D(cell, padding="same")
        vectors[PIXELS, 1] = keras.layers.Flatten()(shrink(base.model.input))
    return vectors


def _cells(base: Backbone) -> int:
    """The number of cells of a grid on the largest map; 1 without a grid."""
    sides = base.blocks[0].output.shape[1:-1]
    has_grid = bool(sides) and all(side and side >= _GRID for side in sides)
    return _GRID ** len(sides) if has_grid else 1


def _compare(
    base: Backbone,
    train: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    problem: Problem,
    *,
    seed: int,
    rate: float,
) -> Evidence:
    rows = _rows_to_compare(problem, labels, groups, seed=seed)
    compared = [HeadInput((name,), grid=1) for name, grid in train if grid == 1]
    tick = Ticker("inputs of a head", len({*compared, *head_inputs_of(base)}))
    begun = itertools.count()

    @functools.cache
    def scored(head_input: HeadInput) -> ProbeScore:
        tick(next(begun))
        return _score_among(train, labels, groups, rows, head_input, problem)

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
        majority_accuracy=problem.floor(labels),
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
) -> ProbeScore:
    """The score of a head that reads these blocks, as a run measures it.

    `labels` and `groups` are those of all rows of the features.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    rows = _rows_to_compare(problem, labels, groups, seed=seed)
    return _score_among(features, labels, groups, rows, head_input, problem)


def _rows_to_compare(
    problem: Problem, labels: np.ndarray, groups: np.ndarray | None, *, seed: int
) -> _ComparedRows:
    rows = rows_to_compare(problem, labels, count=_COMPARED, seed=seed)
    are_some = problem.reads_classes and (
        len(np.unique(labels[rows])) < len(np.unique(labels))
    )
    judged = _judged(labels, groups, seed) if are_some else rows
    return _ComparedRows(rows, judged, are_some)


def _score_among(
    features: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    rows: _ComparedRows,
    head_input: HeadInput,
    problem: Problem,
) -> ProbeScore:
    scored = score_head_input(
        features,
        labels[rows.compared],
        None if groups is None else groups[rows.compared],
        head_input,
        problem,
        rows=rows.compared,
    )
    if not rows.are_some_classes:
        return scored
    parts = _parts(features, head_input)
    return score_of_all(parts, labels, rows.judged, groups=groups, scored=scored)


def rows_to_compare(
    problem: Problem, labels: np.ndarray, *, count: int, seed: int
) -> np.ndarray:
    """At most `count` rows, in order, by which heads and backbones are compared."""
    draw = spread if problem.reads_classes else of_every_class
    return draw(problem.strata(labels), count=count, seed=seed)


def _judged(labels: np.ndarray, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """The rows that a probe of many classes is judged by, in whole groups."""
    classes = int(labels.max()) + 1
    count = min(_COMPARED, max(_FEWEST_JUDGED, AT_ONCE // classes))
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    if groups is None:
        return np.sort(shuffled[:count])
    of_some = np.unique(groups[shuffled[:count]])
    inside = np.flatnonzero(np.isin(groups, of_some))
    sizes = np.unique(groups[inside], return_counts=True)[1]
    fit_in = np.cumsum(sizes) <= max(count, sizes[0])
    return inside[np.isin(groups[inside], of_some[fit_in])]


def score_head_input(
    features: Mapping[tuple[str, int], np.ndarray],
    labels: np.ndarray,
    groups: np.ndarray | None,
    head_input: HeadInput,
    problem: Problem,
    *,
    rows: np.ndarray | slice = slice(None),
) -> ProbeScore:
    """The score of a head that reads these blocks, on examples left out.

    `labels` and `groups` are those of the `rows` of the features.

    Raises:
        TrainingError: if a feature is not a finite number.
    """
    return problem.score(
        [part[rows] for part in _parts(features, head_input)],
        labels,
        groups=groups,
        reads=head_input.reads,
        grid=head_input.grid,
    )


def _source_answers(
    base: Backbone, features: Mapping[tuple[str, int], np.ndarray]
) -> SourceAnswers | None:
    classifier = source_classifier(base)
    if classifier is None:
        return None
    last = features[base.blocks[-1].name, 1]
    return source_answers(source_probabilities(last, *classifier))


def _parts(
    features: Mapping[tuple[str, int], np.ndarray], head_input: HeadInput | HeadPlan
) -> list[np.ndarray]:
    """In the order of the blocks, as a head reads them."""
    return [features[block, head_input.grid] for block in head_input.reads]
