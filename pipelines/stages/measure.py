"""Between base and head: measure what the features of the base are worth on the data.

One pass over at most a few thousand examples reads every block at once, and linear
probes in closed form show what a head should read. Nothing is trained.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np

from pipelines.config import RunConfig
from pipelines.data.input.imbalance import log_prior
from pipelines.data.splits import Split, Splits
from pipelines.features.block_vectors import parts_of, vectors_of
from pipelines.features.divergence import BlockDivergence, block_divergences
from pipelines.features.extract import Reader
from pipelines.features.views import are_worth_it, count_views
from pipelines.planning.detectors import AUTO, DetectorScore
from pipelines.planning.evidence import Evidence
from pipelines.planning.plan import HeadPlan
from pipelines.planning.policy import TrainingFacts
from pipelines.planning.similarity import (
    SourceAnswers,
    source_answers,
    source_probabilities,
)
from pipelines.probing.detector import Detector
from pipelines.probing.probe import Probe, Refitted, refit
from pipelines.probing.rows import FEW_CLASSES, of_every_class
from pipelines.problems.anomalies.moving import SourceDetector
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.detectors.compare import compare_detectors
from pipelines.stages.detectors.places import cells_read, series_read, with_places
from pipelines.stages.detectors.source import require_reads, source_of
from pipelines.stages.evidence.compare import compare_head_inputs
from pipelines.stages.evidence.depths import with_depths
from pipelines.stages.evidence.read import read, with_other_views
from pipelines.stages.outputs import Known, fingerprint
from pipelines.training.batchnorm import batchnorm_layers
from pipelines.training.freezing import biases, norm_weights
from pipelines.training.lora import adaptable_layers
from zoo.builder import Backbone, source_classifier
from zoo.graph.columns import columns_of
from zoo.spec import SeriesInput, TableInput

# Examples that are read at most, fewer where their features would take more memory.
MOST_READ = 4000
_READ_BYTES = 2**29
# Of many classes more are read, one of each at least, whatever the memory: what is not
# read, a probe cannot know.
_READ_PER_CLASS = 8
# Examples that show BatchNorm the data; a map has many positions.
NORMALIZED = 64


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Evidence for the plan, and the features that it rests on.

    `train` and `validation` hold an array `[rows, width]` for every block and grid: a
    row for each example of validation, and for each of training as many as `views`, one
    view of all of them after the other, the first as they are. `labels` are those of
    one view. With `is_whole` that is every example of both splits. All of it is empty
    where the backbone starts from random weights. `known` has what a trained model
    need not read again. `refitted` is the head of a base that is fitted, solved for
    training and then validation. `detectors` of anomalies were compared, if any, and
    `series` are the training examples themselves where one looks at their steps, and
    `source` is a detector of other data to take over.
    """

    evidence: Evidence | None
    labels: np.ndarray
    train: Mapping[tuple[str, int], np.ndarray]
    validation: Mapping[tuple[str, int], np.ndarray]
    is_whole: bool
    views: int = 1
    known: Known | None = None
    problem: Problem | None = None
    weights: np.ndarray | None = None
    refitted: Refitted | None = None
    detectors: tuple[DetectorScore, ...] = ()
    series: np.ndarray | None = None
    source: SourceDetector | None = None

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
            for head_score in (*self.evidence.heads, *self.evidence.cuts)
            if (head_score.reads, head_score.grid) == (head.reads, head.grid)
        )
        labels, weights = np.concatenate([self.labels] * self.views), self.weights
        if weights is not None:
            weights = np.concatenate([weights] * self.views)
        parts = parts_of(self.train, head)
        solved = problem.linear_probe(parts, labels, scored, weights=weights)
        if isinstance(solved, Detector):
            detector = solved.of_method(head.detector)
            return with_places(
                detector,
                parts,
                self.train,
                self.series,
                source=self.source,
                way=head.transfer,
            )
        if balanced and problem.reads_classes:
            return without_shares(solved, self.labels, self.weights)
        return solved

    def without(self, rows: np.ndarray) -> Measured:
        """The same without some training examples, bool `[n]`, in any of their views.

        Scores, and so penalty and sharpness of a probe, stay those of all examples.
        """
        kept = ~np.tile(rows, self.views)
        train = {key: values[kept] for key, values in self.train.items()}
        return dataclasses.replace(
            self,
            train=train,
            labels=self.labels[~rows],
            weights=None if self.weights is None else self.weights[~rows],
            series=None if self.series is None else self.series[~rows],
            is_whole=False,
            known=None,
        )

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
        if not (self.is_whole and head.reads_averages):
            return None
        return (
            np.concatenate(parts_of(self.train, head), axis=1),
            np.concatenate(parts_of(self.validation, head), axis=1),
        )


_NOTHING = Measured(None, np.zeros(0, np.int64), {}, {}, is_whole=False)


def without_shares(
    probe: Probe, labels: np.ndarray, weights: np.ndarray | None = None
) -> Probe:
    """The probe without what it learned of the shares of classes in `labels`.

    Labels count by their `weights` `[n]`.
    """
    if weights is not None:
        weights = weights / weights.mean(dtype=np.float64)
    shares = log_prior(labels, len(probe.bias), weights)
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
        trains=problem.trains,
        trains_from_random=base.spec.modality in ("series", "table")
        and base.weights == "random",
        has_new_inputs=_has_new_inputs(base),
        bias_blocks=tuple(block.name for block in base.blocks if biases(block)),
        norm_blocks=tuple(block.name for block in base.blocks if norm_weights(block)),
    )


def _has_new_inputs(base: Backbone) -> bool:
    """True if a network's weights are for other columns or channels than it reads."""
    own = base.spec.input
    if base.weights == "random":
        return False
    if isinstance(own, SeriesInput):
        return own.channels != base.model.input_shape[-1]
    if not isinstance(own, TableInput):
        return False
    known = {(column.name, column.is_number) for column in own.columns}
    return any((c.name, c.is_number) not in known for c in columns_of(base.model))


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
    problem = problem_of(splits)
    # Crops of an image lack parts, which is what a detector is to find.
    views = count_views(config, splits.train) if problem.trains else 1
    outputs = vectors_of(base)
    outputs |= cells_read(base, problem, config)
    some, also = _examples_read(splits, outputs, problem, views=views, seed=config.seed)
    source = source_of(base, some, config)
    reader = Reader(keras.Model(base.model.input, list(outputs.values())))
    vectors, rate = read(
        reader, base, list(outputs), some, also, config, clock, views=views
    )
    first = {key: values[: len(some)] for key, values in vectors.items()}
    rest = {key: values[len(some) :] for key, values in vectors.items()}
    is_whole = also is not None
    clock.part("comparing what a head could read")
    compared = _compared(base, first, some, problem, config, rate=rate)
    left_out, per_class = compared.best_head.accuracy, len(splits.train) / problem.parts
    if not are_worth_it(config, left_out=left_out, per_class=per_class):
        views = 1
    train = with_other_views(first, reader, base, some, config, clock, views=views)
    series = series_read(base, some, problem, config, source)
    detectors: tuple[DetectorScore, ...] = ()
    if problem.detector(config, base.spec.modality) == AUTO:
        clock.part("comparing detectors by injected anomalies")
        detectors = _detectors(
            base, reader, first, some, compared, config, source=source, series=series
        )
    whole = {splits.train.name: first, splits.validation.name: rest}
    return Measured(
        evidence=dataclasses.replace(
            compared,
            views=views,
            divergences=_divergences(base, splits.train, problem, seed=config.seed),
            source_answers=_source_answers(base, first),
        ),
        labels=some.labels,
        weights=some.weights,
        train=train,
        validation=rest if is_whole else {},
        is_whole=is_whole,
        views=views,
        known=Known(
            base, reader, tuple(outputs), whole if is_whole else {}, fingerprint(base)
        ),
        problem=problem,
        detectors=detectors,
        series=series,
        source=source,
        refitted=_refitted(base, splits, first, rest, problem) if is_whole else None,
    )


def _compared(
    base: Backbone,
    vectors: Mapping[tuple[str, int], np.ndarray],
    some: Split,
    problem: Problem,
    config: RunConfig,
    *,
    rate: float,
) -> Evidence:
    """What a head could read, and where the network could be cut, by probes."""
    known = base, vectors, some.labels, some.groups, problem
    compared = compare_head_inputs(
        *known, seed=config.seed, rate=rate, weights=some.weights
    )
    return with_depths(compared, *known, config, weights=some.weights)


def _detectors(
    base: Backbone,
    reader: Reader,
    vectors: Mapping[tuple[str, int], np.ndarray],
    some: Split,
    compared: Evidence,
    config: RunConfig,
    *,
    source: SourceDetector | None,
    series: np.ndarray | None,
) -> tuple[DetectorScore, ...]:
    head_input = compared.heads[min(1, len(compared.heads) - 1)]
    reads = [(name, head_input.grid) for name in head_input.reads]
    if source is not None:
        require_reads(source, reads, base.spec.modality)
    return compare_detectors(
        base,
        reader,
        vectors,
        reads,
        some,
        batch_size=config.batch_size,
        seed=config.seed,
        source=source,
        series=series,
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
    is_weighted = splits.train.weights is not None
    if not (base.spec.fitted and problem.classes_can_change) or is_weighted:
        return None
    if not len(splits.validation):
        return None
    both = (splits.train, splits.validation)
    groups = [split.groups for split in both if split.groups is not None]
    ((key, features),) = train.items()
    return refit(
        [np.concatenate([features, validation[key]])],
        np.concatenate([split.labels for split in both]),
        groups=np.concatenate(groups) if len(groups) == len(both) else None,
    )


def _examples_read(
    splits: Splits,
    outputs: Mapping[tuple[str, int], keras.KerasTensor],
    problem: Problem,
    *,
    views: int,
    seed: int,
) -> tuple[Split, Split | None]:
    """The examples of training that are read, and validation if both are read whole."""
    strata = problem.strata(splits.train.labels)
    most = _examples_at_most(outputs, strata, views=views)
    rows = of_every_class(strata, count=most, seed=seed)
    is_whole = len(rows) == len(splits.train) and len(splits.validation) <= most
    return splits.train.take(rows), splits.validation if is_whole else None


def _examples_at_most(
    outputs: Mapping[tuple[str, int], keras.KerasTensor],
    labels: np.ndarray,
    *,
    views: int,
) -> int:
    width = views * sum(output.shape[-1] for output in outputs.values())
    classes = len(np.unique(labels))
    fit_in = _READ_BYTES // (width * np.dtype(np.float16).itemsize)
    if classes <= FEW_CLASSES:
        return min(MOST_READ, fit_in)
    return max(classes, min(fit_in, max(MOST_READ, _READ_PER_CLASS * classes)))


def _divergences(
    base: Backbone, train: Split, problem: Problem, *, seed: int
) -> tuple[BlockDivergence, ...]:
    few = of_every_class(problem.strata(train.labels), count=NORMALIZED, seed=seed)
    return block_divergences(base, train.take(few))


def _source_answers(
    base: Backbone, features: Mapping[tuple[str, int], np.ndarray]
) -> SourceAnswers | None:
    classifier = source_classifier(base)
    if classifier is None:
        return None
    last = features[base.blocks[-1].name, 1]
    return source_answers(source_probabilities(last, *classifier))
