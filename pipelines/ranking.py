"""From data to backbones in order: what `zoo rank` prints."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import keras

import zoo
from pipelines.config import RunConfig, checked
from pipelines.data.load import check_and_split, read
from pipelines.data.reference import DatasetRef
from pipelines.data.splits import Split
from pipelines.errors import ConfigError
from pipelines.planning.backbones.candidates import candidates, require_match
from pipelines.planning.backbones.ranking import (
    BackboneScore,
    LeftOut,
    Ranking,
    finalists,
    ordered,
    reason,
)
from pipelines.problems.protocol import Problem
from pipelines.problems.registry import problem_of, trains
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.compare import (
    measure_backbone,
    nothing_measured,
    unpublished,
)
from pipelines.stages.backbones.score import thumbnail_accuracy
from zoo.spec import ImageInput

_logger = logging.getLogger("zootune")

# The first round: few examples, and images small enough to be fast and large enough for
# what was trained on 224 px to work.
_FIRST_EXAMPLES = 1000
_FIRST_SIZE_PX = 128
# In full: a standard error of at most a percent, at the size of the backbone.
_FULL_EXAMPLES = 2000
# Up to this many backbones need no first round.
_MOST_IN_FULL_AT_ONCE = 2

Measured = tuple[list[BackboneScore], list[LeftOut]]


def rank(
    data: str, *, backbones: str = "*", seed: int = 0, problem: str = "auto"
) -> Ranking:
    """The pretrained backbones that match a pattern, by what they are worth on data.

    All of them are measured on some training examples at a low resolution, the best of
    them again in full. Downloads nothing: backbones without weights here are named.

    Raises:
        ConfigError, DataError: if the reference or the data cannot be used.
        BackboneError: if no backbone can be measured; says what to do.
    """
    clock = Clock()
    config = checked(RunConfig(data=data, seed=seed, problem=problem), writes=False)
    require_match(backbones)
    reference = DatasetRef.parse(data)
    examples = read(reference, config.problem)
    if not trains(examples.problem):
        raise ConfigError(
            f"`zoo rank` compares backbones by labels, and problem {examples.problem!r}"
            " trains on normal examples alone. Train with two backbones, and compare"
            " their `auroc` on test."
        )
    known = candidates(backbones, modality=examples.inputs.modality)
    keras.utils.set_random_seed(seed)
    with clock.stage("data", data):
        splits = check_and_split(examples, reference, on_progress=clock.progress)
    train, kind = splits.train, problem_of(splits)
    first: Measured = ([], [])
    chosen = list(known.at_hand)
    if len(chosen) > _MOST_IN_FULL_AT_ONCE:
        with clock.stage("first_round", f"{len(known.at_hand)} backbones"):
            sizes = {name: _small(name) for name in known.at_hand}
            first = _measure(
                sizes, train, config, clock, kind, examples=_FIRST_EXAMPLES
            )
        chosen = finalists(first[0])
    with clock.stage("in_full", ", ".join(chosen)):
        done = [
            score for score in first[0] if score.backbone in chosen and _is_full(score)
        ]
        sizes = {name: 0 for name in chosen if name not in {d.backbone for d in done}}
        last = _measure(sizes, train, config, clock, kind, examples=_FULL_EXAMPLES)
    best = ordered([*done, *last[0]])
    others = ordered([score for score in first[0] if score.backbone not in chosen])
    left_out = (*unpublished(known.unpublished), *first[1], *last[1])
    if not best and not others:
        raise nothing_measured(left_out)
    with clock.stage("baselines", "thumbnails, and the most frequent class"):
        pixels = thumbnail_accuracy(train, kind, examples=_FIRST_EXAMPLES, seed=seed)
    return Ranking(
        backbones=(*best, *others),
        finalists=tuple(score.backbone for score in best),
        left_out=left_out,
        missing=known.missing,
        reason=reason(best or others, pixels, classes=kind.parts, metric=kind.metric),
        majority_accuracy=kind.floor(train.labels),
        pixel_accuracy=pixels,
        seconds={**clock.seconds, "total": clock.total_seconds},
        metric=kind.metric,
    )


def _small(name: str) -> int:
    """The size for the first round; 0, its own, for what takes no images."""
    takes = zoo.get_spec(name).input
    if not isinstance(takes, ImageInput):
        return 0
    return min(takes.default_size_px, max(takes.minimum_size_px, _FIRST_SIZE_PX))


def _is_full(score: BackboneScore) -> bool:
    """True if there are no more examples, and no larger size, to measure it on."""
    takes = zoo.get_spec(score.backbone).input
    is_own_size = (
        not isinstance(takes, ImageInput)
        or takes.default_size_px == score.input_size_px
    )
    return is_own_size and score.examples < _FIRST_EXAMPLES


def _measure(
    sizes: Mapping[str, int],
    train: Split,
    config: RunConfig,
    clock: Clock,
    problem: Problem,
    *,
    examples: int,
) -> Measured:
    """Each backbone at its size; one that fails is named and does not stop others."""
    scores: list[BackboneScore] = []
    failed: list[LeftOut] = []
    for number, (name, size_px) in enumerate(sizes.items(), start=1):
        _logger.info("  %s, %d of %d", name, number, len(sizes))
        measured = measure_backbone(
            name, size_px, train, config, clock, problem, examples=examples
        )
        if isinstance(measured, LeftOut):
            failed.append(measured)
        else:
            scores.append(measured.score)
    return scores, failed
