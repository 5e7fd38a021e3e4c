"""The score of one backbone on the data: the probe of `measure`, and its cost."""

from __future__ import annotations

import time

import keras
import numpy as np

from pipelines.config import RunConfig
from pipelines.data.folds import folds_of
from pipelines.data.input.batches import batches
from pipelines.data.splits import Split
from pipelines.features.block_vectors import (
    PIXELS,
    THUMBNAIL_PX,
    head_inputs_of,
    vectors_of,
)
from pipelines.features.extract import extract
from pipelines.planning.backbones.choice import MeasuredBackbone
from pipelines.planning.backbones.ranking import BackboneScore
from pipelines.planning.evidence import ProbeScore
from pipelines.planning.similarity import source_probabilities
from pipelines.probing.transferability import h_score, leep, logme
from pipelines.problems.protocol import Problem
from pipelines.runtime import environment
from pipelines.runtime.clock import Clock
from pipelines.stages.base import fit_base
from pipelines.stages.evidence.compare import rows_to_compare, score_head_input
from pipelines.stages.folds.out_of_fold import out_of_fold
from pipelines.stages.obtain import obtain
from zoo.builder import Backbone, source_classifier
from zoo.graph.multiply_adds import multiply_adds


def score_backbone(
    train: Split,
    config: RunConfig,
    clock: Clock,
    *,
    examples: int,
    problem: Problem,
    folds: int = 0,
) -> MeasuredBackbone:
    """Builds the backbone of a config, and measures it on some training examples.

    With the same seed and number these are the same examples and the same `folds` for
    every backbone.

    Raises:
        BackboneError: if it cannot be built.
        TrainingError: if a feature is not a finite number.
    """
    remembers = environment.forget_peak_memory()
    started = time.monotonic()
    base = fit_base(obtain(config, train.inputs), train, seed=config.seed)
    rows = rows_to_compare(problem, train.labels, count=examples, seed=config.seed)
    some = train.take(rows)
    features, rate = _read(base, some, config, clock)
    labels = some.labels
    heads = [
        score_head_input(
            features, labels, some.groups, head_input, problem, weights=some.weights
        )
        for head_input in head_inputs_of(base)
    ]
    best = max(heads, key=lambda score: score.quality)
    last = features[base.blocks[-1].name, 1].astype(np.float32)
    classifier = source_classifier(base)
    classes = labels if problem.reads_classes else None
    quality = np.zeros(0)
    if folds:
        parts = [features[name, best.grid] for name in best.reads]
        quality = _quality(problem, parts, some, best, folds=folds, seed=config.seed)
    score = BackboneScore(
        backbone=config.backbone,
        imagenet_top1=base.spec.imagenet_top1,
        parameters=base.model.count_params(),
        examples=len(rows),
        input_size_px=base.input_size_px,
        probe=best,
        last=heads[0],
        logme=None if classes is None else logme(last, classes),
        h_score=None if classes is None else h_score(last, classes),
        leep=leep(source_probabilities(last, *classifier), classes)
        if classifier and classes is not None
        else None,
        examples_per_second=rate,
        seconds=time.monotonic() - started,
        peak_memory_bytes=environment.peak_memory_bytes() if remembers else None,
        classes=len(np.unique(labels)) if problem.reads_classes else problem.parts,
        multiply_adds=counted(base.model),
    )
    return MeasuredBackbone(score, quality, some.groups)


def _quality(
    problem: Problem,
    parts: list[np.ndarray],
    some: Split,
    scored: ProbeScore,
    *,
    folds: int,
    seed: int,
) -> np.ndarray:
    """How well each example is answered by a probe on the other folds, `[n]`.

    Times its weight over their mean, where examples have weights.
    """
    labels, units = some.labels, problem.units
    if problem.reads_classes:  # perhaps some of very many
        present, labels = np.unique(labels, return_inverse=True)
        units = min(units, len(present))
    dealt = folds_of(
        some.labels, some.groups, problem=problem.name, count=folds, seed=seed
    )
    weights = some.relative_weights
    outputs = out_of_fold(
        problem, parts, labels, dealt, scored, units=units, weights=weights
    )
    quality = problem.judge(outputs, labels).quality.astype(np.float64)
    return quality if weights is None else quality * weights


def counted(model: keras.Model) -> int | None:
    """The multiply-adds of one example; None where the graph hides them."""
    try:
        return multiply_adds(model)
    except ValueError:
        return None


def thumbnail_accuracy(
    train: Split, problem: Problem, *, examples: int, seed: int
) -> float | None:
    """The accuracy of a probe on tiny thumbnails; `None` for texts and series."""
    if train.inputs.modality != "image":
        return None
    rows = rows_to_compare(problem, train.labels, count=examples, seed=seed)
    some = train.take(rows)
    read = batches(some, input_size_px=THUMBNAIL_PX, batch_size=256)
    flat = [pixels.numpy().reshape(len(pixels), -1) for pixels, _ in read]
    return problem.score(
        [np.concatenate(flat)],
        some.labels,
        groups=some.groups,
        reads=(PIXELS,),
        grid=1,
        weights=some.weights,
    ).accuracy


def _read(
    base: Backbone, some: Split, config: RunConfig, clock: Clock
) -> tuple[dict[tuple[str, int], np.ndarray], float]:
    """The inputs that heads could read of the examples, and the examples per second."""
    keys = {
        (name, head_input.grid)
        for head_input in head_inputs_of(base)
        for name in head_input.reads
    }
    vectors = {
        at: head_input for at, head_input in vectors_of(base).items() if at in keys
    }
    model = keras.Model(base.model.input, list(vectors.values()))
    read = batches(some, input_size_px=base.input_size_px, batch_size=config.batch_size)
    started = time.monotonic()
    features = extract(
        model,
        read,
        dtype=np.float16,
        on_progress=lambda done: clock.progress(done, len(some)),
    )
    return dict(zip(vectors, features)), len(some) / (time.monotonic() - started)
