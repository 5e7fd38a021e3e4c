"""Before obtain: choose the backbone and its input size, where the config says `auto`.

Every backbone of this machine is measured at its smallest size, and the best of them at
larger ones. Nothing is downloaded and nothing is trained.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np

import zoo
from pipelines.config import AutoConfig, RunConfig
from pipelines.data.data_card import sizes_of
from pipelines.data.splits import Split, Splits
from pipelines.features.views import count_views
from pipelines.planning.backbones.candidates import candidates, listed
from pipelines.planning.backbones.choice import (
    BackboneChoice,
    choose,
    input_sizes,
    work_limit,
)
from pipelines.problems.registry import problem_of
from pipelines.runtime.clock import Clock
from pipelines.stages.backbones.compare import nothing_measured
from pipelines.stages.backbones.rounds import Limits, Rounds

# As many as compare heads: a standard error of at most 1.6 percent, and of a paired
# difference less.
_EXAMPLES = 1000
# Headers that say how large images are.
_LOOKED_AT = 200


def applied(config: RunConfig, choice: BackboneChoice) -> RunConfig:
    """The config with the backbone and the input size that were chosen."""
    return dataclasses.replace(
        config,
        backbone=choice.backbone,
        input_size_px=choice.input_size_px,
        auto=AutoConfig(),
    )


def choose_backbone(
    config: RunConfig,
    splits: Splits,
    clock: Clock,
    *,
    examples: int = _EXAMPLES,
    work: float | None = None,
) -> BackboneChoice:
    """The backbone and input size for a config whose `backbone` is `auto`.

    At most `examples` of train are read by each candidate, and candidates are measured
    until they took `work` multiply-adds together, or their share of the time budget.

    Raises:
        BackboneError: if no backbone is here, or none can be measured.
        DataError: naming files that have changed since they were checked.
    """
    known = candidates(config.auto.backbones, modality=splits.train.inputs.modality)
    sizes = _sizes(known.at_hand, splits.train, config)
    only = _only_candidate(sizes)
    if only is not None:
        reason = _reason_of_only(only, known.missing)
        return BackboneChoice(*only, reason, missing=known.missing)
    problem = problem_of(splits)
    with clock.stage(
        "backbone", f"{len(sizes)} of this machine, by what they know of these data"
    ):
        limits = Limits(config, work=work or work_limit(config.effort))
        rounds = Rounds(splits.train, problem, config, clock, limits, examples=examples)
        rounds.smallest(sizes)
        rounds.larger(sizes)
    if not rounds.measured:
        raise nothing_measured(rounds.left_out)
    chosen, rows, reason = choose(
        rounds.measured,
        metric=problem.metric,
        rows_to_read=count_views(config, splits.train) * len(splits.train)
        + len(splits.validation),
        seconds_left=clock.deadline(config.time_budget_seconds) - time.monotonic(),
    )
    return BackboneChoice(
        backbone=chosen.backbone,
        input_size_px=chosen.input_size_px or 0,
        reason=f"{reason}{limits.in_words}",
        metric=problem.metric,
        examples=rounds.measured[0].score.examples,
        compared=rows,
        left_out=tuple(rounds.left_out),
        missing=known.missing,
    )


def _sizes(
    names: Sequence[str], train: Split, config: RunConfig
) -> dict[str, tuple[int, ...]]:
    """The input sizes of each backbone; fewer parameters come first."""
    specs = [zoo.get_spec(name) for name in names]
    specs.sort(key=lambda spec: (spec.parameters or np.inf, spec.name))
    side = _typical_side(train)
    fixed = config.input_size_px
    return {
        spec.name: input_sizes(spec.input, images_px=side, fixed_px=fixed)
        for spec in specs
    }


def _typical_side(train: Split) -> float | None:
    """The median side of the images, in pixels, of a square of their area."""
    if train.inputs.modality != "image":
        return None
    some = train.inputs.take(np.linspace(0, len(train) - 1, _LOOKED_AT).astype(int))
    _, sizes = sizes_of(some, _LOOKED_AT)
    return float(np.median(np.sqrt(np.prod(sizes, axis=1)))) if sizes else None


def _only_candidate(sizes: Mapping[str, tuple[int, ...]]) -> tuple[str, int] | None:
    """The backbone and size, if there is nothing to compare it with."""
    every = [(name, size) for name, some in sizes.items() for size in some]
    return every[0] if len(every) == 1 else None


def _reason_of_only(only: tuple[str, int], missing: tuple[str, ...]) -> str:
    words = (
        f"The backbone is '{only[0]}': it is the only one on this machine that matches,"
        " so nothing was compared."
    )
    if missing:
        words += f" `zoo fetch` brings others: {listed(missing)}."
    return words
